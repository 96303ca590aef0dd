"""Old events are forgotten; what is still to be done, or failed, is not."""

from uuid import UUID

import asyncpg
import pytest

from knowlog.bus import append_events, forget_events
from knowlog.database import Database, Scope
from knowlog.kernel import new_id

STATES = ("none", "done", "cancelled", "waiting", "running", "failed")


async def aged(database: Database, scope: Scope, state: str, days: int) -> UUID:
    """Write an event that was settled so many days ago, before any other."""
    async with database.transaction(scope) as connection:
        (event,) = await append_events(
            connection, "document.indexed", [(new_id(), {"version": 1, "chunks": 1})]
        )
        await connection.execute(
            "update events set state = $2, created_at = now() - $3 * interval '1 day', xid = '1' where event_id = $1",
            event, state, days,
        )  # fmt: skip
    return event


async def left(database: Database, scope: Scope) -> set[UUID]:
    """The events of a tenant."""
    async with database.transaction(scope) as connection:
        return {row["event_id"] for row in await connection.fetch("select event_id from events")}


@pytest.mark.parametrize("state", STATES)
async def test_what_is_done_with_goes(database: Database, tenant: Scope, state: str) -> None:
    """Recorded, done and cancelled events, and no others."""
    event = await aged(database, tenant, state, 91)
    await forget_events(database, 90)
    assert (event in await left(database, tenant)) is (state in {"waiting", "running", "failed"})
    async with database.transaction(tenant) as connection:
        await connection.execute("delete from events")


async def test_what_is_young_stays(database: Database, tenant: Scope) -> None:
    """And what was settled lately, however long ago it began."""
    young = await aged(database, tenant, "done", 89)
    retried = await aged(database, tenant, "done", 100)
    async with database.transaction(tenant) as connection:
        await connection.execute("update events set finished_at = now() where event_id = $1", retried)
    await forget_events(database, 90)
    assert await left(database, tenant) == {young, retried}
    async with database.transaction(tenant) as connection:
        await connection.execute("delete from events")


async def test_zero_keeps_all(database: Database, tenant: Scope) -> None:
    """For whoever must."""
    event = await aged(database, tenant, "none", 10_000)
    assert await forget_events(database, 0) == 0
    assert await left(database, tenant) == {event}
    assert await forget_events(database, 90) >= 1


async def test_it_goes_in_batches_over_all_tenants(
    database: Database, tenant: Scope, other_tenant: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Short transactions, until nothing old is left."""
    monkeypatch.setattr("knowlog.bus.log._BATCH", 2)
    for scope in (tenant, other_tenant):
        for _ in range(3):
            await aged(database, scope, "none", 91)
    assert await forget_events(database, 90) == 6


async def test_the_application_itself_may_not_forget(database: Database, tenant: Scope) -> None:
    """A tenant's transaction cannot call what looks across tenants."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        async with database.transaction(tenant) as connection:
            await connection.execute("select forget_events(interval '1 day', 10)")


async def test_the_walk_reads_the_index_and_not_the_table(database: Database) -> None:
    """Sorting all events to find the oldest would cost more each day."""
    async with database.owner() as connection:
        await connection.execute("set enable_sort = off")
        plan = await connection.fetch("explain select tenant_id from knowlog.events order by xid, position")
    assert "events_followed" in " ".join(row[0] for row in plan)
