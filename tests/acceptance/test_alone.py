"""`knowlog serve` and `knowlog worker` without `knowlog up`: the embedded PostgreSQL runs as long as one of them does."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from knowlog.cli.processes import free_port
from knowlog.database import DatabaseSettings, EmbeddedServer, connect

_PATIENCE_S = 90
_LISTENS = "select exists (select from pg_stat_activity where query ilike 'listen%knowlog_work%')"


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that any user may pass, since PostgreSQL does not run as root."""
    with tempfile.TemporaryDirectory(prefix="knowlog-alone-", dir="/tmp", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)
        EmbeddedServer(Path(name), DatabaseSettings()).stop()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def test_the_last_to_end_stops_the_database(data_dir: Path) -> None:
    """The server that started it leaves it to a worker that uses it; that one stops it. Both end in order."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("KNOWLOG_")}
    port = free_port()
    env = {
        **mine, "KNOWLOG_DATA_DIR": str(data_dir), "KNOWLOG_API_PORT": str(port),
        "KNOWLOG_EMBEDDING_MODEL": "fake",
    }  # fmt: skip
    postgres = EmbeddedServer(data_dir, DatabaseSettings())

    def start(command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "knowlog", command], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )  # fmt: skip

    def end(process: subprocess.Popen[bytes], number: signal.Signals) -> int:
        process.send_signal(number)
        return process.wait(timeout=_PATIENCE_S)

    server = start("serve")
    until(lambda: ready(f"http://127.0.0.1:{port}"))
    worker = start("worker")
    until(lambda: at_work(postgres))
    assert end(server, signal.SIGTERM) == 0
    assert postgres.running
    assert end(worker, signal.SIGTERM) == 0
    assert not postgres.running
    alone = start("serve")
    until(lambda: ready(f"http://127.0.0.1:{port}"))
    end(alone, signal.SIGINT)
    assert not postgres.running


def at_work(postgres: EmbeddedServer) -> bool:
    """Whether a worker listens for work."""

    async def ask() -> bool:
        connection = await connect(postgres.url("postgres"))
        try:
            return bool(await connection.fetchval(_LISTENS))
        finally:
            await connection.close()

    return asyncio.run(ask())
