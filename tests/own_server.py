"""A server and its database: for all tests (conftest.py), or for one file alone.

A file has one of its own where it would meet what other tests leave, or take away what those need.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from knowlog.database import Database, DatabaseSettings, EmbeddedServer, open_database


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


@asynccontextmanager
async def migrated(folder: Path) -> AsyncIterator[Database]:
    """Its database, or the one that KNOWLOG_TEST_DATABASE_URL names."""
    opened = await open_database(DatabaseSettings(url=os.environ.get("KNOWLOG_TEST_DATABASE_URL")), folder)
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
