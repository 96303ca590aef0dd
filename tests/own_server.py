"""Fixtures of files that would meet what other tests leave, or take away what those need: a server of their own."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from knowlog.database import Database, DatabaseSettings, EmbeddedServer, open_database


@pytest.fixture(scope="module")
def server_dir() -> Iterator[Path]:
    """A server for one file alone."""
    with tempfile.TemporaryDirectory(
        prefix="knowlog-test-", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path
        EmbeddedServer(path, DatabaseSettings()).stop()


@pytest.fixture(scope="module")
async def database(server_dir: Path) -> AsyncIterator[Database]:
    """Its database."""
    url = os.environ.get("KNOWLOG_TEST_DATABASE_URL")
    opened = await open_database(DatabaseSettings(url=url), server_dir)
    yield opened
    await opened.close()
