"""A real PostgreSQL for every test that asks for one: embedded, or the one that KNOWLOG_TEST_DATABASE_URL names."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from knowlog.database import Database, Scope
from knowlog.tenants import create_tenant
from own_server import fresh_server, migrated

settings.register_profile("any machine", deadline=None)  # how long an example takes is the machine's affair
settings.load_profile("any machine")

_TURNS = ("isolation", "acceptance", "contract", "integration")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long begin first, so that processes which share the tests end at about the same time: those with
    slow tests, then the rest by folder.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, _turn(item.path)))


def _turn(path: Path) -> int:
    folder = path.relative_to(Path(__file__).parent).parts[0]
    return _TURNS.index(folder) if folder in _TURNS else len(_TURNS)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes and long texts make no names: they may hold the time or a random id, and every process must find the same
    tests.
    """
    return argname if isinstance(val, bytes) or (isinstance(val, str) and len(val) > 60) else None


@pytest.fixture(scope="session")
def server_dir() -> Iterator[Path]:
    """A data directory that any user may pass, with an embedded server in it that is stopped at the end."""
    with fresh_server() as path:
        yield path


@pytest.fixture(scope="session")
async def database(server_dir: Path) -> AsyncIterator[Database]:
    """A migrated database, shared by all tests: each works in tenants of its own."""
    async with migrated(server_dir) as opened:
        yield opened


@pytest.fixture
async def tenant(database: Database) -> Scope:
    """Alice's tenant: fresh."""
    return Scope((await create_tenant(database, "alice")).tenant_id, "key:alice")


@pytest.fixture
async def other_tenant(database: Database) -> Scope:
    """Charlie's tenant, a stranger's: fresh."""
    return Scope((await create_tenant(database, "charlie")).tenant_id, "key:charlie")
