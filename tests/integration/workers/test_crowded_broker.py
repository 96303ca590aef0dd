"""With a broker, too, whoever has enough in a worker keeps nobody else's work out of it."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from knowlog.bus import Broker, BusSettings, WorkerSettings, append_events, connect_broker
from knowlog.database import Database, Scope
from knowlog.kernel import new_id
from knowlog.workers.intake import open_intake
from knowlog.workers.relay import Relay
from servers import running_server

QUEUES = {"delivery.requested": "deliveries"}
DATA = {"endpoint_id": uuid4(), "event_id": uuid4(), "event_type": "document.indexed"}


@pytest.fixture
async def broker(database: Database) -> AsyncIterator[Broker]:
    """A Redis, and a queue that nobody else has anything in."""
    async with database.owner() as owner:
        await owner.execute(
            "set role knowlog_definer; delete from knowlog.events where state in ('waiting', 'running')"
        )
    with running_server("redis") as server:
        opened = connect_broker("redis", server.url, BusSettings(broker="redis", url=server.url))
        yield opened
        await opened.close()


async def put(database: Database, scope: Scope, count: int) -> None:
    async with database.transaction(scope) as connection:
        await append_events(connection, "delivery.requested", [(new_id(), DATA) for _ in range(count)])


async def test_what_stands_behind_the_announcements_of_another_is_taken(
    database: Database, tenant: Scope, other_tenant: Scope, broker: Broker
) -> None:
    """One tenant's endpoints are slow and a thousand of its deliveries announced; another's first comes in next."""
    bus, worker = BusSettings(broker="redis", url="redis://unused"), WorkerSettings()
    relay = Relay(database, broker, bus, QUEUES, lambda: False)
    opened = open_intake(database, broker, "w", list(QUEUES), ["deliveries"], bus, worker)
    async with opened as intake:
        await put(database, tenant, 300)
        await relay.step()
        held: list[object] = []
        async with asyncio.timeout(20):
            while len(held) < worker.batch:
                held += await intake.take(worker.batch - len(held), 1, held=(), skip=())
        await put(database, other_tenant, 1)
        await relay.step()
        found = await intake.take(1, 5, held=(), skip=[tenant.tenant_id])
        assert [each.tenant_id for each in found] == [other_tenant.tenant_id]
        assert await intake.take(1, 1, held=(), skip=[tenant.tenant_id]) == []
        later = await intake.take(worker.batch, 1, held=(), skip=())
    assert len(later) == worker.batch, "what was let go is not waited for until it is announced again"
