"""A tenant whose transactions wait for each other leaves room for others."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from knowlog.database import DatabaseSettings, open_database

_LOCK = "select pg_advisory_xact_lock(4711)"


@pytest.fixture
async def small(database, server_dir):
    opened = await open_database(DatabaseSettings(pool_size=4), server_dir)
    yield opened
    await opened.close()


@asynccontextmanager
async def crowd(small, tenant, size):
    """So many transactions of the tenant, which all wait for a lock that one more holds."""

    async def wait() -> None:
        async with small.transaction(tenant) as connection:
            await connection.execute(_LOCK)

    async with small.transaction(tenant) as connection:
        await connection.execute(_LOCK)
        waiting = [asyncio.create_task(wait()) for _ in range(size)]
        await asyncio.sleep(0.2)
        yield
    await asyncio.gather(*waiting)


async def test_others_are_served_while_a_tenants_changes_wait(small, tenant, other_tenant) -> None:
    """Charlie's search does not wait for alice's sixty changes of one document."""
    async with crowd(small, tenant, 60), asyncio.timeout(5), small.snapshot(other_tenant) as connection:
        assert await connection.fetchval("select 1") == 1


async def test_a_key_is_looked_up_while_every_transaction_is_taken(small, tenant, other_tenant) -> None:
    """Who is to be refused is refused at once, and who may come in learns it."""
    async with AsyncExitStack() as stack:
        for number in range(small.room):
            await stack.enter_async_context(small.transaction(tenant if number % 2 else other_tenant))
        async with asyncio.timeout(2):
            assert await small.look("select $1::uuid", tenant.tenant_id) is not None


async def test_a_transaction_within_one_needs_no_second_place(small, tenant) -> None:
    """Or three requests that each open another would wait for each other."""

    async def nested() -> int:
        async with small.transaction(tenant):
            await asyncio.sleep(0.05)
            async with small.transaction(tenant) as connection:
                return await connection.fetchval("select 1")

    async with asyncio.timeout(8):
        assert await asyncio.gather(nested(), nested()) == [1, 1]
        assert await asyncio.gather(nested(), nested()) == [1, 1]
