"""What a broker is told of: each queue has a window of its own, and of it a tenant has a quarter."""

import asyncio
from collections.abc import Sequence
from typing import cast
from uuid import uuid4

import pytest

from knowlog.bus import Broker, BusSettings, Event, Turn, announce, append_events, claim, fail, get_job
from knowlog.database import Database, Scope
from knowlog.kernel import new_id
from knowlog.workers.relay import Relay

DOCUMENTS, DELIVERIES = "document.received", "delivery.requested"
DATA = {
    DOCUMENTS: {"version": 1, "size_bytes": 1},
    DELIVERIES: {"endpoint_id": uuid4(), "event_id": uuid4(), "event_type": "document.indexed"},
}


@pytest.fixture(autouse=True)
async def _alone(database: Database):
    """Other tests' leftovers are out of the way: the queue is one for all tenants."""
    async with database.owner() as owner:
        await owner.execute(
            "set role knowlog_definer; delete from knowlog.events where state in ('waiting', 'running')"
        )


async def put(database: Database, scope: Scope, kind: str, count: int) -> None:
    async with database.transaction(scope) as connection:
        await append_events(connection, kind, [(new_id(), DATA[kind]) for _ in range(count)])


async def announced(database: Database, kind: str, window: int) -> Sequence[Event]:
    async with database.system() as connection:
        return await announce(connection, 100, [kind], window=window, quiet_s=20, turn=Turn())


async def test_a_queue_that_is_full_keeps_no_other_waiting(database, tenant, other_tenant) -> None:
    """Deliveries to slow endpoints fill their window; documents are announced all the same, of the same tenant too."""
    for scope in (tenant, other_tenant):
        await put(database, scope, DELIVERIES, 50)
        await put(database, scope, DOCUMENTS, 1)
    told = 0
    while found := await announced(database, DELIVERIES, 8):
        told += len(found)
    assert told == 4, "a quarter of each of the two"
    assert len(await announced(database, DOCUMENTS, 8)) == 2


async def test_a_tenant_beyond_its_quarter_waits_and_others_do_not(database, tenant, other_tenant) -> None:
    """What is announced and not begun counts; as soon as it is begun there is room again."""
    await put(database, tenant, DOCUMENTS, 100)
    assert len(await announced(database, DOCUMENTS, 40)) == 10
    await put(database, other_tenant, DOCUMENTS, 5)
    found = await announced(database, DOCUMENTS, 40)
    assert {each.tenant_id for each in found} == {other_tenant.tenant_id}
    assert len(found) == 5
    begun = await claim(database, "w", 30, 20, [DOCUMENTS])
    mine = sum(each.tenant_id == tenant.tenant_id for each in begun)
    assert mine
    again = await announced(database, DOCUMENTS, 40)
    assert {each.tenant_id for each in again} == {tenant.tenant_id}


async def test_a_retry_waits_from_the_moment_of_the_failure(database, tenant) -> None:
    """By the clock of the database, not by that of a worker, nor from the beginning of a long transaction."""
    await put(database, tenant, DOCUMENTS, 1)
    (event,) = await claim(database, "w", 30, 1, [DOCUMENTS])
    async with database.transaction(tenant) as connection:
        await connection.execute("select pg_sleep(0.3)")
        await fail(connection, "w", event, "busy", 10)
        due = (await get_job(connection, event.event_id)).due_at
        assert await connection.fetchval("select $1::timestamptz >= now() + interval '10.3 seconds'", due)
        assert await connection.fetchval("select $1::timestamptz <= clock_timestamp() + interval '10 s'", due)


class Counting(Relay):
    """Counts its looks at the outbox. Nothing is announced here: there is no broker."""

    def __init__(self, database: Database, listens: bool) -> None:
        super().__init__(
            database, cast(Broker, None), BusSettings(), {DOCUMENTS: "documents"}, lambda: listens
        )
        self.looks = 0

    async def step(self) -> int:
        self.looks += 1
        return await super().step()


async def test_a_relay_with_nothing_to_do_waits_to_be_woken(database) -> None:
    """Where it is told of new work; where it is not it looks twice a second."""
    relay, deaf = Counting(database, listens=True), Counting(database, listens=False)
    running = [asyncio.create_task(each.run()) for each in (relay, deaf)]
    await asyncio.sleep(2)
    before, before_deaf = relay.looks, deaf.looks
    await asyncio.sleep(1.7)
    assert relay.looks == before
    assert deaf.looks >= before_deaf + 2
    relay.wake()
    await asyncio.sleep(0.3)
    assert relay.looks > before
    for each in running:
        each.cancel()
    await asyncio.gather(*running, return_exceptions=True)
