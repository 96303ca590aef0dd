"""The log is followed without missing anything, whoever writes, and costs what is new."""

import asyncio
from time import monotonic
from uuid import UUID

import pytest

from knowlog.bus import CATALOGUE, Wanted, append_events, list_events, present
from knowlog.bus.cursors import unseal
from knowlog.bus.log import _SQL
from knowlog.database import Database, Scope
from knowlog.kernel import new_id

_MANY = """
insert into events (tenant_id, event_id, type, subject, data, state)
select tenant(), gen_random_uuid(), 'document.indexed', gen_random_uuid(), '{"version": 1, "chunks": 1}', 'none'
from generate_series(1, 20000)"""


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_a_page_is_read_from_the_index(
    database: Database, tenant: Scope, other_tenant: Scope, order: str
) -> None:
    """Behind a cursor, under the policy: the place in the log is found in the index, not by reading up to it."""
    async with database.transaction(tenant) as connection:
        await connection.execute(_MANY)
    async with database.transaction(other_tenant) as connection:
        await connection.execute(_MANY)
    async with database.owner() as owner:
        await owner.execute("analyze knowlog.events")
    async with database.transaction(tenant) as connection:
        assert len(await list_events(connection, tenant, Wanted(), order, 50)) == 50  # type: ignore[arg-type]
        last = (await list_events(connection, tenant, Wanted(), "newest", 3))[-1].cursor
        assert last
        place = unseal(await connection.fetchval(_SQL["key"]), last)
        plan = await connection.fetch(
            f"explain (analyze, buffers) {_SQL[order]}", 2**63 - 1, list(CATALOGUE), None, None, place, 50
        )
        text = "\n".join(row[0] for row in plan)
        found = await list_events(connection, tenant, Wanted(since=last), order, 50)  # type: ignore[arg-type]
    assert len(found) == 2
    assert "events_log" in text, text
    assert "Rows Removed by Filter" not in text, text


async def append(database: Database, scope: Scope) -> UUID:
    async with database.transaction(scope) as connection:
        data = {"version": 1, "chunks": 0}
        return (await append_events(connection, "document.indexed", [(new_id(), data)]))[0]


async def follow(database: Database, scope: Scope, stop: asyncio.Event) -> list[UUID]:
    """Read on without a pause until `stop` is set and nothing is left."""
    found: list[UUID] = []
    since = None
    while True:
        last_time = stop.is_set()
        async with database.transaction(scope) as connection:
            page = await list_events(connection, scope, Wanted(since=since), "oldest", 50)
        found += [each.event_id for each in page]
        since = page[-1].cursor if page else since
        if last_time and not page:
            return found
        await asyncio.sleep(0.005)


async def append_for(database: Database, scope: Scope, seconds: float) -> list[UUID]:
    """Eight append, one event after the other."""

    async def one() -> list[UUID]:
        until, written = monotonic() + seconds, []
        while monotonic() < until:
            written.append(await append(database, scope))
        return written

    return [each for some in await asyncio.gather(*(one() for _ in range(8))) for each in some]


async def test_eight_append_and_four_follow(database: Database, tenant: Scope) -> None:
    """Each follower sees every event once, while nobody stops writing."""
    stop = asyncio.Event()
    following = [asyncio.create_task(follow(database, tenant, stop)) for _ in range(4)]
    written = await append_for(database, tenant, 2)
    stop.set()
    for found in await asyncio.gather(*following):
        assert len(found) == len(set(found)) == len(written)
        assert set(found) == set(written)


async def test_a_follower_takes_no_lock_and_a_writer_waits_for_none(
    database: Database, tenant: Scope
) -> None:
    """While a reader waits for a writer, others append as if there were none."""
    await append(database, tenant)
    async with database.transaction(tenant) as connection:
        since = await present(connection)
    await append(database, tenant)
    async with database.transaction(tenant) as slow:
        await append_events(slow, "document.indexed", [(new_id(), {"version": 1, "chunks": 0})])
        async with database.transaction(tenant) as connection:
            reading = asyncio.create_task(list_events(connection, tenant, Wanted(since=since), "oldest", 50))
            await asyncio.sleep(0.05)
            async with asyncio.timeout(0.15):
                await append(database, tenant)
            assert not reading.done()
            assert await reading == []


async def test_a_list_from_the_beginning_waits_for_a_slow_commit(database: Database, tenant: Scope) -> None:
    """It would be empty otherwise, although there are events."""
    earlier = await append(database, tenant)
    async with database.transaction(tenant) as slow:
        await append_events(slow, "document.indexed", [(new_id(), {"version": 1, "chunks": 0})])
        async with database.transaction(tenant) as connection:
            listing = asyncio.create_task(list_events(connection, tenant, Wanted(), "oldest", 9))
            await asyncio.sleep(0.5)
            assert not listing.done()
            await slow.execute("commit")
            assert earlier in {each.event_id for each in await listing}
            await slow.execute("begin")


async def test_who_begins_waits_for_what_is_being_committed(database: Database, tenant: Scope) -> None:
    """An event with a smaller position that commits later is not behind the place at which one began."""
    async with database.transaction(tenant) as slow:
        (late,) = await append_events(slow, "document.indexed", [(new_id(), {"version": 1, "chunks": 0})])
        await append(database, tenant)
        async with database.transaction(tenant) as connection:
            beginning = asyncio.create_task(present(connection))
            await asyncio.sleep(0.1)
            assert not beginning.done()
            await slow.execute("commit")
            since = await beginning
            await slow.execute("begin")
    async with database.transaction(tenant) as connection:
        assert late in {e.event_id for e in await list_events(connection, tenant, Wanted(), "oldest", 9)}
        assert await list_events(connection, tenant, Wanted(since=since), "oldest", 9) == []
