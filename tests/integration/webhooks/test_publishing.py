"""Chosen events reach the operator's topic on a real broker: none is lost, each document's in order."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from redis.asyncio import Redis

from knowlog.bus import (
    Broker,
    BusSettings,
    append_events,
    connect_broker,
    follow_events,
    unpack,
    with_claimed,
)
from knowlog.bus.port import Delivery
from knowlog.database import Database
from knowlog.database.migrations import migrate
from knowlog.documents import open_blob_store
from knowlog.documents.settings import DocumentsSettings
from knowlog.kernel import new_id
from knowlog.kernel.errors import Unavailable
from knowlog.settings import load_settings
from knowlog.workers.publishing import Publisher
from servers import Running, running_server

TYPES = "document.indexed,document.failed"


@pytest.fixture(scope="module")
def redis() -> Iterator[Running]:
    with running_server("redis") as server:
        yield server


@pytest.fixture
def settings(redis: Running) -> BusSettings:
    environ = {
        "KNOWLOG_BUS_BROKER": "redis",
        "KNOWLOG_BUS_URL": redis.url,
        "KNOWLOG_BUS_PUBLISH_TYPES": TYPES,
        "KNOWLOG_BUS_PUBLISH_TOPIC": f"events.{uuid4().hex[:8]}",
    }
    return load_settings(environ).bus


@pytest.fixture
async def broker(settings: BusSettings) -> AsyncIterator[Broker]:
    opened = connect_broker("redis", settings.broker_url, settings)
    yield opened
    await opened.close()


@pytest.fixture
def shelf(tmp_path: Path):
    return open_blob_store(DocumentsSettings(), tmp_path)


@pytest.fixture
async def publisher(database, broker, shelf, settings) -> Publisher:
    """One that has begun: it publishes what happens from now on."""
    made = Publisher(database, broker, shelf, settings)
    await made.step()
    return made


async def happen(database, scope, count: int, subject=None, reason: str = "x") -> None:
    async with database.transaction(scope) as connection:
        items = [(subject or new_id(), {"version": n + 1, "reason": reason}) for n in range(count)]
        await append_events(connection, "document.failed", items)
        await append_events(connection, "document.deleted", [(new_id(), {"blobs": []})])


async def publish_all(publisher: Publisher) -> int:
    total = 0
    while count := await publisher.step():
        total += count
    return total


async def received(broker: Broker, topic: str, count: int) -> list[Delivery]:
    found: list[Delivery] = []
    async with broker.subscribe_plain(topic, "reader") as subscription, asyncio.timeout(90):
        while len(found) < count:
            got = await subscription.receive(100, 1)
            await subscription.settle(got)
            found += got
    return found


async def test_chosen_events_arrive_keyed_by_document(database, tenant, publisher, broker, settings) -> None:
    """Those of the chosen types, each document's in order, as CloudEvents with their data."""
    document = new_id()
    await happen(database, tenant, 20, document)
    assert await publish_all(publisher) == 20
    assert await publish_all(publisher) == 0
    envelopes = [unpack(each.message.body) for each in await received(broker, settings.publish_topic, 20)]
    assert [each.data["version"] for each in envelopes] == list(range(1, 21))
    assert {each.type for each in envelopes} == {"document.failed"}


async def test_a_client_that_knows_nothing_of_knowlog_reads_them(
    database, tenant, publisher, settings
) -> None:
    """One stream of the topic's very name: `data` is the CloudEvent, `key` is tenant and document, `id` the event's."""
    document = new_id()
    await happen(database, tenant, 3, document)
    await publish_all(publisher)
    async with Redis.from_url(settings.broker_url) as client:
        entries = [fields for _, fields in await client.xrange(settings.publish_topic)]
    events = [orjson.loads(fields[b"data"]) for fields in entries]
    assert [each["data"]["version"] for each in events] == [1, 2, 3]
    assert {fields[b"key"].decode() for fields in entries} == {f"{tenant.tenant_id}:{document}"}
    assert [fields[b"id"].decode() for fields in entries] == [each["id"] for each in events]


async def test_what_is_too_large_travels_by_claim_check(
    database, tenant, publisher, broker, settings, shelf, monkeypatch
) -> None:
    """The broker carries a reference; the data come from the blob store."""
    monkeypatch.setattr(broker, "most_bytes", 2000)
    await happen(database, tenant, 1, reason="y" * 5000)
    await publish_all(publisher)
    (found,) = await received(broker, settings.publish_topic, 1)
    envelope = unpack(found.message.body)
    assert envelope.data is None
    assert (await with_claimed(envelope, shelf)).data["reason"] == "y" * 5000


async def test_a_broker_that_is_down_delays_and_loses_nothing(
    database, tenant, publisher, broker, settings, redis
) -> None:
    """Nothing is passed over: the reader stays where it is until the broker has the events."""
    await asyncio.to_thread(redis.killable.kill)
    try:
        await happen(database, tenant, 5)
        with pytest.raises(Unavailable):
            await publisher.step()
    finally:
        await asyncio.to_thread(redis.killable.start)
    assert await publish_all(publisher) == 5
    ids = {unpack(each.message.body).event_id for each in await received(broker, settings.publish_topic, 5)}
    assert len(ids) == 5


async def test_one_reader_at_a_time_and_no_late_commit_is_missed(
    database, tenant, publisher, settings
) -> None:
    """While one holds the reader another gets nothing; what commits late is read in its turn."""
    async with database.transaction(tenant) as slow:
        await append_events(slow, "document.failed", [(new_id(), {"version": 1, "reason": "late"})])
        await happen(database, tenant, 1)
        assert await publish_all(publisher) == 0
    async with database.system() as first, database.system() as second:
        assert len(await follow_events(first, settings.publish_topic, settings.published)) == 2
        assert await follow_events(second, settings.publish_topic, settings.published) == []
        await first.execute("rollback; begin")
    assert await publish_all(publisher) == 2


async def test_after_a_restore_into_another_cluster_nothing_is_missed(
    database: Database, publisher: Publisher, tenant
) -> None:
    """Numbers of transactions that this cluster has not had yet are mended at the next start; what was read, is read."""
    await happen(database, tenant, 3)
    assert await publish_all(publisher) == 3
    await happen(database, tenant, 2)
    async with database.owner() as owner:
        await owner.execute(
            "set role knowlog_definer; update knowlog.events set xid = (xid::text::bigint + 1000000000)::text::xid8;"
            " update knowlog.log_readers set xid = (xid::text::bigint + 1000000000)::text::xid8"
        )
        await owner.execute("reset role")
        await happen(database, tenant, 4)
        assert await publish_all(publisher) == 0
        await migrate(owner, "knowlog")
    assert await publish_all(publisher) == 6
    await happen(database, tenant, 1)
    assert await publish_all(publisher) == 1
