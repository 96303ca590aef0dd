"""A real PostgreSQL for every test that asks for one: embedded, or the one that KNOWLOG_TEST_DATABASE_URL names."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from knowlog.database import Database, DatabaseSettings, EmbeddedServer, Scope, open_database
from knowlog.tenants import create_tenant


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes and long texts make no names: they may hold the time or a random id, and every process must find the same
    tests.
    """
    return argname if isinstance(val, bytes) or (isinstance(val, str) and len(val) > 60) else None


@pytest.fixture(scope="session")
def server_dir() -> Iterator[Path]:
    """A data directory that any user may pass, with an embedded server in it that is stopped at the end."""
    with tempfile.TemporaryDirectory(
        prefix="knowlog-test-", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path
        EmbeddedServer(path, DatabaseSettings()).stop()


@pytest.fixture(scope="session")
async def database(server_dir: Path) -> AsyncIterator[Database]:
    """A migrated database, shared by all tests: each works in tenants of its own."""
    opened = await open_database(
        DatabaseSettings(url=os.environ.get("KNOWLOG_TEST_DATABASE_URL")), server_dir
    )
    yield opened
    await opened.close()


@pytest.fixture
async def tenant(database: Database) -> Scope:
    """Alice's tenant: fresh."""
    return Scope((await create_tenant(database, "alice")).tenant_id, "key:alice")


@pytest.fixture
async def other_tenant(database: Database) -> Scope:
    """Charlie's tenant, a stranger's: fresh."""
    return Scope((await create_tenant(database, "charlie")).tenant_id, "key:charlie")
