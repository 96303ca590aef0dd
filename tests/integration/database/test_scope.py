"""A transaction belongs to one tenant, whatever happened on its connection before."""

import asyncio
import contextlib
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from knowlog.database import Database, DatabaseSettings, EmbeddedServer, Scope, open_database
from knowlog.documents import Profile, create_collection, list_collections
from knowlog.kernel.errors import InternalError, Invalid, Unavailable


@pytest.fixture
async def narrow(database: Database, server_dir: Path):
    """A database with one connection, so that every transaction gets the one used before."""
    opened = await open_database(DatabaseSettings(pool_size=1), server_dir)
    yield opened
    await opened.close()


async def names(database: Database, scope: Scope) -> list[str]:
    async with database.transaction(scope) as connection:
        return [collection.name for collection in await list_collections(connection, scope)]


async def test_alice_sees_hers_and_charlie_sees_nothing(narrow, tenant, other_tenant) -> None:
    """The same connection serves one tenant after the other."""
    async with narrow.transaction(tenant) as connection:
        await create_collection(connection, tenant, "plans", Profile())
    assert await names(narrow, tenant) == ["plans"]
    assert await names(narrow, other_tenant) == []


async def test_tenant_ends_with_an_aborted_transaction(narrow, tenant, other_tenant) -> None:
    """An error leaves nothing of the tenant on the connection."""
    with pytest.raises(asyncpg.PostgresError):
        async with narrow.transaction(tenant) as connection:
            await connection.execute("select 1 / 0")
    assert await names(narrow, other_tenant) == []
    async with narrow.system() as connection:
        assert await connection.fetchval("select current_setting('knowlog.tenant', true)") in (None, "")


async def test_tenant_ends_with_a_cancelled_request(narrow, tenant, other_tenant) -> None:
    """A caller who goes away in the middle of a query leaves nothing behind."""

    async def slow() -> None:
        async with narrow.transaction(tenant) as connection:
            await connection.execute("select pg_sleep(30)")

    task = asyncio.create_task(slow())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await names(narrow, other_tenant) == []


@pytest.mark.parametrize(("subjects", "told"), [
    (None, "*"), (frozenset(), "{}"), (frozenset([UUID(int=1)]), f"{{{UUID(int=1)}}}"),
])  # fmt: skip
async def test_a_transaction_names_the_subjects(narrow, tenant, other_tenant, subjects, told) -> None:
    """For whom the caller stands; and nothing of it is left for the next transaction."""
    setting = "select current_setting('knowlog.subjects', true)"
    async with narrow.transaction(replace(tenant, subjects=subjects)) as connection:
        assert await connection.fetchval(setting) == told
    async with narrow.system() as connection:
        assert await connection.fetchval(setting) in (None, "")


async def test_without_a_tenant_every_query_fails(database) -> None:
    """The application's role sees no row, and gets an error, when no tenant is named."""
    async with database.owner() as connection, connection.transaction():
        await connection.execute("set local role knowlog_app")
        with pytest.raises(asyncpg.PostgresError):
            await connection.fetch("select * from knowlog.documents")


async def test_an_emptied_tenant_fails_too(database) -> None:
    """After a transaction the setting is an empty string; that is no tenant either."""
    async with database.owner() as connection, connection.transaction():
        await connection.execute("set local role knowlog_app; select set_config('knowlog.tenant', '', true)")
        with pytest.raises(asyncpg.PostgresError):
            await connection.fetch("select * from knowlog.documents")


async def test_writing_for_another_tenant_is_refused(database, tenant, other_tenant) -> None:
    """A forged tenant_id does not pass the policy's check."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction(tenant) as connection:
            await connection.execute(
                "insert into collections (tenant_id, collection_id, name, profile)"
                " values ($1, gen_random_uuid(), 'x', '{}')",
                other_tenant.tenant_id,
            )


async def test_truncate_is_refused(database, tenant) -> None:
    """Row security does not bind TRUNCATE; the missing right does."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction(tenant) as connection:
            await connection.execute("truncate documents cascade")


async def test_system_functions_are_closed_to_tenants(database, tenant) -> None:
    """A tenant's transaction cannot list tenants."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction(tenant) as connection:
            await connection.fetch("select * from list_tenants(null, 10)")


async def test_a_failed_commit_is_told(database, tenant) -> None:
    """Nobody is told that something was written when the transaction had failed."""

    async def swallow() -> None:
        async with database.transaction(tenant) as connection:
            with contextlib.suppress(asyncpg.PostgresError):
                await connection.execute("select 1 / 0")

    with pytest.raises(InternalError, match="rolled back"):
        await swallow()


@pytest.mark.parametrize(("query", "value"), [
    ("select $1::text", "a\0b"), ("select $1::text", "\ud800"), ("select $1::int", 2**40),
    ("select $1::timestamptz", datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))),
    ("select $1::text::timestamptz", "99999999-01-01"), ("select 2147483647 + $1::int", 1),
])  # fmt: skip
async def test_what_cannot_be_stored_is_told_as_invalid(narrow, tenant, query, value) -> None:
    """Whether asyncpg or PostgreSQL refuses it; the connection serves on."""
    with pytest.raises(Invalid, match="cannot be stored"):
        async with narrow.transaction(tenant) as connection:
            await connection.fetchval(query, value)
    assert await names(narrow, tenant) == []


async def test_dead_server_is_unavailable_and_comes_back(tmp_path_factory) -> None:
    """While PostgreSQL is down calls fail with a clear error; afterwards the same pool works."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="knowlog-test-", dir="/tmp") as folder:
        path = Path(folder)
        path.chmod(0o755)
        server = EmbeddedServer(path, DatabaseSettings())
        opened = await open_database(DatabaseSettings(), path)
        server.stop()
        with pytest.raises(Unavailable):
            async with opened.system() as connection:
                await connection.fetchval("select 1")
        server.start()
        async with opened.system() as connection:
            assert await connection.fetchval("select 1") == 1
        await opened.close()
        server.stop()
