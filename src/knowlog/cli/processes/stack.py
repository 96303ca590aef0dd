"""A whole knowlog on this machine: PostgreSQL, the HTTP server and a worker, started, watched and stopped."""

import asyncio
import contextlib
import fcntl
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

from knowlog.cli.connection import leave_address, left_address, local_url
from knowlog.cli.credentials import make_operator_key
from knowlog.cli.output import say
from knowlog.cli.processes.ports import taken_port
from knowlog.cli.processes.program import Program
from knowlog.cli.processes.servers import growing, servers
from knowlog.cli.processes.supervisor import Supervisor
from knowlog.cli.running import is_up
from knowlog.database import EmbeddedServer, connect, start_embedded, system_of_owner
from knowlog.kernel.errors import KnowlogError, Misconfigured, Unavailable
from knowlog.settings import Settings, load_settings
from knowlog.tenants import KEY_FILE, make_key_file, open_vault, require_opening, stored_wrappings

_READY_TIMEOUT_S = 120.0
_MOST_FAILED_STARTS = 4
_DATABASE_CHECK_S = 0.5
_DATABASE_TIMEOUT_S = 8.0
_LOCK_TRIES = 5


@dataclass(frozen=True, slots=True)
class Stack:
    """A knowlog that answers at `url`, and the key that manages its tenants."""

    settings: Settings
    url: str
    operator_key: str
    supervisor: Supervisor

    async def wait(self) -> None:
        """Wait until something that it needs cannot be kept running, and raise its error."""
        await self.supervisor.wait()


@asynccontextmanager
async def open_stack(environ: Mapping[str, str]) -> AsyncIterator[Stack]:
    """Start everything that the environment describes, wait until it is ready; stop everything at the end.

    Raises Misconfigured when the port is taken, another knowlog uses the data directory, or a setting is
    wrong.
    """
    settings = load_settings(environ)
    if settings.api.tls_certificate is not None:
        raise Misconfigured(
            "`knowlog up` and the demo speak with their own server without TLS. Unset KNOWLOG_API_TLS_CERTIFICATE and"
            " KNOWLOG_API_TLS_KEY, or run `knowlog serve` and `knowlog worker` instead."
        )
    _require_free(settings.data_dir)
    listener = taken_port(settings.api.host, settings.api.port)  # before anything is written
    with listener, _only_one(settings.data_dir):
        port = int(listener.getsockname()[1])
        leave_address(settings.data_dir, None)  # of one that was killed
        url = local_url(settings.api.host, port)
        async with _database(settings) as owner_url:
            await _require_key_of_stored(settings, owner_url)
            operator_key, environment = _environment(settings, environ, port)
            first, *more = servers(settings, environment, listener)
            supervisor = Supervisor([first, *_workers(settings, environment)], settings.api.shutdown_grace_s)
            try:
                supervisor.start()
                await _until_ready(url, supervisor, settings)
                leave_address(settings.data_dir, url)
                async with growing(supervisor, first, more):
                    yield Stack(settings, url, operator_key, supervisor)
            finally:
                leave_address(settings.data_dir, None)
                await supervisor.stop()


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[str]:
    """Where its owner logs in to a database that answers: the embedded server is kept running, and stopped at the end."""
    server = await asyncio.to_thread(start_embedded, settings.database, settings.data_dir)
    watch = asyncio.create_task(_keep_database(server))
    try:
        await _until_database_answers(settings)
        yield server.url("postgres") if server else _owner_url(settings)
    finally:
        watch.cancel()
        if server is not None:
            await asyncio.to_thread(server.stop)


def _owner_url(settings: Settings) -> str:
    url = settings.database.owner_url or settings.database.url
    return url.get_secret_value() if url else ""


async def _require_key_of_stored(settings: Settings, owner_url: str) -> None:
    """Raise Misconfigured, before a key is made, where one is lost under which something is stored."""
    async with system_of_owner(owner_url) as connection:
        vault = open_vault(settings.secrets, settings.data_dir, here=False)
        require_opening(vault, await stored_wrappings(connection))


def _environment(settings: Settings, environ: Mapping[str, str], port: int) -> tuple[str, dict[str, str]]:
    """The operator key, and the environment of the programs: the given one with what was decided here."""
    environment = {**environ, "KNOWLOG_DATA_DIR": str(settings.data_dir), "KNOWLOG_API_PORT": str(port)}
    if settings.secrets.key is None:
        environment["KNOWLOG_SECRETS_KEY_FILE"] = str(_key_file(settings))
    if settings.api.operator_key is not None:
        return settings.api.operator_key.get_secret_value(), environment
    environment["KNOWLOG_API_OPERATOR_KEY_FILE"] = str(settings.data_dir / "operator.key")
    return make_operator_key(settings.data_dir), environment


def _key_file(settings: Settings) -> Path:
    """The key file of this machine, made if there is none."""
    path = settings.data_dir / KEY_FILE
    if make_key_file(path):
        say(
            f"KNOWLOG_SECRETS_KEY is not set: what tenants entrust is kept under a new key in {path}. Keep a copy of it"
            " apart from the data."
        )
    return path


def _workers(settings: Settings, environment: Mapping[str, str]) -> list[Program]:
    logs = settings.data_dir / "logs"
    return [
        Program("worker", "worker", logs / "worker.log", environment),
        *(_further_worker(number, logs, environment) for number in range(2, settings.worker.processes + 1)),
    ]


def _further_worker(number: int, logs: Path, environment: Mapping[str, str]) -> Program:
    """Another worker, without metrics: their port is the first one's."""
    own = {name: each for name, each in environment.items() if name != "KNOWLOG_WORKER_METRICS_PORT"}
    return Program(f"worker-{number}", "worker", logs / f"worker-{number}.log", own)


@contextlib.contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Hold the data directory. Raises Misconfigured when another knowlog holds it or it cannot be written."""
    try:
        data_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = (data_dir / "up.lock").open("w")
    except OSError as error:
        raise Misconfigured(
            f"{data_dir} cannot be written: {error.strerror}. Choose another KNOWLOG_DATA_DIR."
        ) from error
    with lock:
        if not _locked(lock):
            raise Misconfigured(_runs_already(data_dir))
        yield


def _require_free(data_dir: Path) -> None:
    """Raise Misconfigured when a knowlog runs there: its port is taken then too, which would say less."""
    if is_up(data_dir):
        raise Misconfigured(_runs_already(data_dir))


def _runs_already(data_dir: Path) -> str:
    url = left_address(data_dir)
    place = f"at {url}" if url else "and is still starting"
    return f"knowlog runs here already, {place} (its data: {data_dir}). Use it, stop it, or set KNOWLOG_DATA_DIR."


def _locked(lock: IO[str]) -> bool:
    """Take the lock. A command that looks whether it is held holds it for an instant; hence more than one try."""
    for _ in range(_LOCK_TRIES):
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.05)
    return False


async def _keep_database(server: EmbeddedServer | None) -> None:
    """Start the embedded server again when it dies."""
    while server is not None:
        await asyncio.sleep(_DATABASE_CHECK_S)
        if not server.running:
            with contextlib.suppress(KnowlogError):
                await asyncio.to_thread(server.start)


async def _until_database_answers(settings: Settings) -> None:
    """Wait a little for a PostgreSQL of the user's own. Raises Unavailable or Misconfigured, which say what to do."""
    database = settings.database
    deadline, told = time.monotonic() + _DATABASE_TIMEOUT_S, False
    while database.url is not None:
        try:
            connection = await connect(_owner_url(settings))
        except Unavailable:
            if time.monotonic() >= deadline:
                raise
        else:
            await connection.close(timeout=5)
            return
        if not told:
            say(f"PostgreSQL does not answer yet; waiting for it for {_DATABASE_TIMEOUT_S:.0f} s ...")
            told = True
        await asyncio.sleep(_DATABASE_CHECK_S)


async def _until_ready(url: str, supervisor: Supervisor, settings: Settings) -> None:
    deadline = time.monotonic() + _READY_TIMEOUT_S
    async with httpx.AsyncClient(base_url=url, timeout=5, trust_env=False) as http:
        while time.monotonic() < deadline:
            supervisor.check()
            with contextlib.suppress(httpx.TransportError):
                if (await http.get("/health/ready")).status_code == httpx.codes.OK:
                    return
            if max(supervisor.failures.values()) >= _MOST_FAILED_STARTS:
                break
            await asyncio.sleep(0.05)
    failing = [program for program in supervisor.programs if supervisor.failures[program.name]]
    said = " ".join(dict.fromkeys(program.last_words() for program in failing))  # often the same
    raise Unavailable(f"knowlog does not come up. {said} See {settings.data_dir / 'logs'}.")
