"""A server and its database: for all tests (conftest.py), or for one file alone.

A file has one of its own where it would meet what other tests leave, or take away what those need.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from knowlog.database import Database, DatabaseSettings, EmbeddedServer, connect, open_database


@contextmanager
def fresh_server() -> Iterator[Path]:
    """A data directory that any user may pass, with an embedded server in it that is stopped at the end."""
    with tempfile.TemporaryDirectory(
        prefix="knowlog-test-", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path
        EmbeddedServer(path, DatabaseSettings()).stop()


async def spare_the_disk(owner_url: str) -> None:
    """Have a server wait for no disk: what it holds need not outlive the machine."""
    owner = await connect(owner_url)
    await owner.execute("alter system set fsync = off")
    await owner.execute("select pg_reload_conf()")
    await owner.close()


@asynccontextmanager
async def migrated(folder: Path) -> AsyncIterator[Database]:
    """Its database, or the one that KNOWLOG_TEST_DATABASE_URL names. Our own does not wait for the disk."""
    given = os.environ.get("KNOWLOG_TEST_DATABASE_URL")
    opened = await open_database(DatabaseSettings(url=given), folder)
    if not given:
        await spare_the_disk(opened.owner_url)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def server_dir() -> Iterator[Path]:
    """A server for one file alone."""
    with fresh_server() as path:
        yield path


@pytest.fixture(scope="module")
async def database(server_dir: Path) -> AsyncIterator[Database]:
    """Its database."""
    async with migrated(server_dir) as opened:
        yield opened
