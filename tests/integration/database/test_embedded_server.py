"""The server that comes with knowlog, started where an earlier one was killed or is just ending."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from knowlog.database import DatabaseSettings, EmbeddedServer, connect
from knowlog.database import server as database_server
from knowlog.kernel.errors import Misconfigured
from own_server import fresh_server
from small_disk import grow, small_disk


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """A server that runs."""
    with fresh_server() as folder:
        started = EmbeddedServer(folder, DatabaseSettings())
        started.start()
        yield started


async def answers(server: EmbeddedServer) -> bool:
    connection = await connect(server.url())
    try:
        return bool(await connection.fetchval("select true"))
    finally:
        await connection.close()


def said_state(server: EmbeddedServer) -> str:
    """What the pid file says of the server: starting, ready or stopping; nothing where there is none."""
    with suppress(FileNotFoundError):
        return (home(server) / "data" / "postmaster.pid").read_text().splitlines()[7].strip()
    return ""


def log_of(server: EmbeddedServer) -> str:
    return (home(server) / "server.log").read_text()


def home(server: EmbeddedServer) -> Path:
    return Path(server.url().partition("host=")[2]).parent


async def test_what_a_killed_server_left_is_not_taken_for_the_new_one(server: EmbeddedServer) -> None:
    """Its pid file says that it is ready. When `start` returns, the new one takes connections."""
    killed = server.process_id
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    while server.running:
        pass
    assert said_state(server) == "ready"
    assert server.start()
    assert await answers(server)


async def test_a_start_waits_for_what_is_left_of_a_killed_server(server: EmbeddedServer) -> None:
    """Connections of it that have not noticed yet hold its memory."""
    killed = server.process_id
    assert killed is not None
    connection = await connect(server.url())
    left = connection.get_server_pid()
    os.kill(left, signal.SIGSTOP)
    os.kill(killed, signal.SIGKILL)
    starting = asyncio.create_task(asyncio.to_thread(server.start))
    while "still in use" not in log_of(server):
        await asyncio.sleep(0.02)
    os.kill(left, signal.SIGCONT)
    assert await starting
    assert await answers(server)


async def test_a_start_while_the_server_ends_starts_it_anew(server: EmbeddedServer) -> None:
    """It waits until it has ended, not until it comes up again."""
    ending = server.process_id
    assert ending is not None
    connection = await connect(server.url("postgres"))  # much to write at the end
    await connection.execute("create table large as select n, 0 as m from generate_series(1, 300000) n")
    os.kill(ending, signal.SIGINT)
    while said_state(server) == "ready":
        pass
    assert server.start()
    assert server.process_id != ending
    assert await answers(server)


@pytest.mark.parametrize("copies", [False, True], ids=["initdb", "copying"])
async def test_a_first_start_on_a_full_disk_says_what_to_do_and_the_next_one_starts(
    monkeypatch: pytest.MonkeyPatch, *, copies: bool
) -> None:
    """In one sentence, not in the words of PostgreSQL's programs; what was begun is no obstacle and fills no disk.
    `copies`: where the server's user may not pass the folders above the programs.
    """
    with tempfile.TemporaryDirectory(prefix="knowlog-up-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with small_disk(Path(folder) / "disk", 20_000) as disk:
            server = EmbeddedServer(disk, DatabaseSettings())
            if copies:
                monkeypatch.setattr(database_server, "_may_pass", lambda folder, user: False)
            with pytest.raises(Misconfigured) as caught:
                server.start()
            assert "No space left on device" in caught.value.detail
            assert caught.value.detail.endswith(" Free space or choose another KNOWLOG_DATA_DIR.")
            assert len(caught.value.detail) < 400
            assert shutil.disk_usage(disk).used < 5_000_000
            grow(disk, 400_000)
            server.start()
            try:
                assert await answers(server)
            finally:
                server.stop()


@pytest.mark.parametrize(
    "name", ["Ann's, 2026", "back\\slash", "\u6771" * 40], ids=["marks", "backslash", "bytes"]
)
async def test_any_name_of_a_folder_will_do(name: str) -> None:
    """People's folders have apostrophes and commas in their names, and letters of several bytes."""
    with tempfile.TemporaryDirectory(
        prefix="knowlog-test-", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedServer(Path(folder) / name, DatabaseSettings())
        (Path(folder) / name).mkdir()
        server.start()
        try:
            assert await answers(server)
        finally:
            server.stop()
