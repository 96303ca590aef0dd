"""A live knowlog whose broker is away for a while, or carries what is too large or not readable: nothing is lost.

`KNOWLOG_TEST_OUTAGE_S=60` makes the outage a minute; by itself it is eight seconds.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from time import monotonic

import httpx
import pytest
from queue_scene import Scene, open_scene, until

from knowlog.bus import Broker, Event, Message, append_events, open_broker, pack, unpack, with_claimed
from knowlog.cli.doctor.broker import check_broker
from knowlog.cli.doctor.server import Target
from knowlog.cli.processes import free_port
from knowlog.documents import open_blob_store
from knowlog.kernel import new_id, now
from knowlog.kernel.errors import Unavailable
from servers import Running, running_server

OUTAGE_S = float(os.environ.get("KNOWLOG_TEST_OUTAGE_S", "8"))
TOPIC = "operator.events"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900 + 2 * OUTAGE_S)]


@pytest.fixture(scope="module", params=["redis", "rabbitmq", "kafka"])
async def live(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Scene, Running]]:
    """A knowlog on a broker that may be killed."""
    with running_server(request.param) as server:
        settings = {
            "KNOWLOG_BUS_BROKER": server.kind, "KNOWLOG_BUS_URL": server.url,
            "KNOWLOG_BUS_PUBLISH_TYPES": "document.failed", "KNOWLOG_BUS_PUBLISH_TOPIC": TOPIC,
            "KNOWLOG_WORKER_METRICS_PORT": str(free_port("127.0.0.1")),
        }  # fmt: skip
        async with open_scene(settings) as scene:
            yield scene, server


@pytest.fixture
async def broker(live: tuple[Scene, Running]) -> AsyncIterator[Broker]:
    opened = open_broker(live[0].stack.settings.bus)
    assert opened is not None
    yield opened
    await opened.close()


async def announced(scene: Scene) -> float:
    """How many events the worker's relay has told the broker of."""
    port = scene.stack.settings.worker.metrics_port
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    return float(text.partition("\nknowlog_worker_announced_total ")[2].partition("\n")[0])


async def test_what_nobody_can_read_is_buried_and_its_neighbours_go_on(live, broker) -> None:
    """Garbage on the topic of work goes to the dead letters with its reason, and doctor tells of it."""
    scene, _ = live
    topic = scene.stack.settings.bus.work_topic("documents")
    async with broker.subscribe(topic, "workers", "first") as subscription:
        await subscription.receive(1, 0.1)  # what is published from now on waits for the worker
    await scene.upload()
    early = Event(new_id(), new_id(), "document.received", new_id(), {}, 0, now() + timedelta(days=3))
    await broker.publish(
        topic,
        [
            Message("k", "early", pack(early, with_data=False)),  # or else this worker's clock is days behind
            Message("k", "garbage", b"\xff{"), Message("k", "other", b'{"specversion": "9"}'),
        ],
    )  # fmt: skip
    await scene.upload()

    dead = []

    async def buried() -> bool:
        dead[:] = await broker.dead(topic, 10)
        return len(dead) == 2

    await until(buried)
    first, second = dead
    assert (first[0].body, second[0].message_id) == (b"\xff{", "other")
    assert "JSON" in first[1]
    assert "specversion" in second[1]

    async def told() -> bool:
        return "2 messages" in [each async for each in check_broker(scene.stack.settings, Target())][-1].found

    await until(told)
    await scene.require_each_once()


async def test_an_event_beyond_the_brokers_limit_travels_by_claim_check(live, broker) -> None:
    """From the log through the worker and the operator's topic to a reader, who fetches the data."""
    scene, _ = live

    async def follows() -> bool:  # from then on the worker publishes
        async with scene.database.owner() as owner:
            await owner.execute("set role knowlog_definer")
            return bool(await owner.fetchval("select count(*) from knowlog.log_readers"))

    await until(follows)
    reason = "y" * (broker.most_bytes + 1)
    async with broker.subscribe_plain(TOPIC, "reader") as reader:
        async with scene.database.transaction(scene.scope) as connection:
            await append_events(connection, "document.failed", [(new_id(), {"version": 1, "reason": reason})])
            await append_events(
                connection, "document.failed", [(new_id(), {"version": 2, "reason": "small"})]
            )
        found, deadline = [], monotonic() + 120
        while len(found) < 2 and monotonic() < deadline:
            try:
                deliveries = await reader.receive(10, 1)
            except Unavailable:  # the first event makes the topic
                await asyncio.sleep(0.2)
                continue
            found += [unpack(each.message.body) for each in deliveries]
            await reader.settle(deliveries)
    large, small = sorted(found, key=lambda each: each.data is not None)
    assert large.data is None
    assert small.data["reason"] == "small"
    shelf = open_blob_store(scene.stack.settings.documents, scene.stack.settings.data_dir)
    assert (await with_claimed(large, shelf)).data["reason"] == reason


async def test_a_broker_that_is_down_holds_up_nobody(live) -> None:
    """Uploads are taken and handled all the time, directly; when it is back the relay announces again."""
    scene, server = live
    worker = scene.stack.supervisor.process_ids["worker"]
    log = scene.stack.settings.data_dir / "logs" / "worker.log"
    async with scene.uploading():
        await asyncio.to_thread(server.killable.kill)
        began, before = monotonic(), await scene.handled()
        try:
            await asyncio.sleep(OUTAGE_S)

            async def handled_meanwhile() -> bool:
                return await scene.handled() >= before + 15

            await until(handled_meanwhile)
        finally:
            await asyncio.to_thread(server.killable.start)
        assert monotonic() - began >= OUTAGE_S
        assert "announcements wait in the outbox" in log.read_text()
        told = await announced(scene)

        async def announces_again() -> bool:
            return await announced(scene) > told and "announcements go out again" in log.read_text()

        await until(announces_again)
    await scene.require_each_once()
    assert scene.stack.supervisor.process_ids["worker"] == worker, "the worker was not to be restarted"
