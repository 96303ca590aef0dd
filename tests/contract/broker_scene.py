"""What the tests of brokers have in common: messages, groups of consumers, and how long is waited."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import monotonic

import aio_pika
import pytest
from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis

from knowlog.bus import Broker, BusSettings, Delivery, Message, Subscription, connect_broker
from knowlog.bus.adapters.redis import lane_name
from knowlog.kernel.errors import Unavailable
from knowlog.kernel.tasks import asked_to_end
from servers import Running

KINDS = ["redis", "rabbitmq", "kafka"]
TAKEOVER_S = 6.0
PATIENCE_S = 90.0
"""How long what must come is waited for: a shared machine with few cores may be slow."""
CONSUMER = """
import asyncio, sys
from knowlog.bus import BusSettings, connect_broker

async def main(kind, url, topic):
    broker = connect_broker(kind, url, BusSettings(broker=kind, url=url))
    async with broker.subscribe(topic, "workers", "doomed") as subscription:
        while True:
            for each in await subscription.receive(10, 1):
                print(each.message.message_id, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


def opened(server: Running, takeover_s: float = TAKEOVER_S) -> Broker:
    settings = BusSettings(broker=server.kind, url=server.url, takeover_s=takeover_s)
    return connect_broker(server.kind, server.url, settings)


def message(number: int, key: str = "k", body: bytes = b"body") -> Message:
    return Message(key, f"m{number}", body)


def ids(deliveries: Sequence[Delivery]) -> list[str]:
    return [each.message.message_id for each in deliveries]


async def take(subscription: Subscription, count: int, timeout_s: float = PATIENCE_S) -> list[Delivery]:
    """Receive until there are `count`, and settle nothing."""
    found: list[Delivery] = []
    deadline = monotonic() + timeout_s
    while len(found) < count and monotonic() < deadline:
        found += await subscription.receive(count - len(found), 0.5)
    return found


async def use_up(subscription: Subscription, into: list[str]) -> None:
    """Receive and settle, over and over, through every outage, until cancelled."""
    held: list[Delivery] = []
    while not asked_to_end():
        try:
            held = held or await subscription.receive(100, 0.5)
            await subscription.settle(held)
            into += ids(held)
            held = []
        except Unavailable:
            await asyncio.sleep(0.2)


@asynccontextmanager
async def using_up(subscription: Subscription) -> AsyncIterator[list[str]]:
    into: list[str] = []
    task = asyncio.create_task(use_up(subscription, into))
    try:
        yield into
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition, timeout_s: float = PATIENCE_S, seen: Sequence[str] = ()) -> None:
    deadline = monotonic() + timeout_s
    while not condition():
        assert monotonic() < deadline, f"it did not come to pass by {monotonic():.1f}; seen {seen[-8:]}"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def group(broker: Broker, topic: str, name: str = "workers", consumer: str = "one"):
    """Take part, and wait until the group exists, so that it gets what is published from now on."""
    async with broker.subscribe(topic, name, consumer) as subscription:
        assert await subscription.receive(1, 0.2) == []
        yield subscription


async def share_out(broker: Broker, topic: str, one: Subscription, two: Subscription) -> None:
    """Publish and use up until both have lanes and nothing is left."""
    async with using_up(one) as of_one, using_up(two) as of_two:
        for number in range(0, 4000, 100):
            await broker.publish(topic, [message(number + n, f"k{n}") for n in range(100)])
            await until(lambda: len({*of_one, *of_two}) >= number + 100)  # noqa: B023
            if len(of_one) > 50 and len(of_two) > 50:
                return await asyncio.sleep(1)
            await asyncio.sleep(0.3)
    pytest.fail("one consumer has got next to nothing")


async def write_as_stranger(server: Running, topic: str) -> None:
    """With the broker's own client."""
    if server.kind == "redis":
        async with Redis.from_url(server.url) as client:
            await client.xadd(lane_name(topic, 3), {"k": b"\xff", "odd": b"\xfe"})
    elif server.kind == "rabbitmq":
        connection = await aio_pika.connect(server.url)
        exchange = await (await connection.channel()).get_exchange(topic)
        headers = {"key": bytearray(b"\xff"), "id": bytearray(b"\xfe"), "x": 5}
        await exchange.publish(aio_pika.Message(b"\xff", headers=headers), routing_key="3")  # type: ignore[arg-type]
        await connection.close()
    else:
        async with AIOKafkaProducer(bootstrap_servers=server.url) as producer:
            await producer.send_and_wait(topic, None, key=b"\xff", headers=[("id", b"\xfe"), ("x", None)])


async def publish_until_it_works(broker: Broker, topic: str, wanted: Message) -> None:
    deadline = monotonic() + PATIENCE_S
    while monotonic() < deadline:
        try:
            return await broker.publish(topic, [wanted])
        except Unavailable:
            await asyncio.sleep(0.2)
    pytest.fail("the broker was back, and publishing still failed")
