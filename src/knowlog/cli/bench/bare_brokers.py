"""The brokers' own clients without our port, each used as its documentation says, as durable as we use it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from knowlog.bus import Message

_WAIT_S = 0.5


class BareClient(Protocol):
    """Publish, and take: receive and acknowledge at once."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Return when the server has acknowledged all."""
        ...

    async def take(self, most: int) -> int:
        """Receive up to `most`, acknowledge them, return how many they were."""
        ...


class BareRedis:
    """One stream, one group; pipelined XADD, XREADGROUP, XACK."""

    def __init__(self, redis: Any, stream: str) -> None:
        self._redis, self._stream = redis, stream

    async def publish(self, messages: Sequence[Message]) -> None:
        """One pipeline."""
        pipeline = self._redis.pipeline(transaction=False)
        for each in messages:
            pipeline.xadd(self._stream, {"k": each.key, "i": each.message_id, "b": each.body})
        await pipeline.execute()

    async def take(self, most: int) -> int:
        """One read and one acknowledgement."""
        answer = await self._redis.xreadgroup(
            "bare", "one", {self._stream: ">"}, count=most, block=int(_WAIT_S * 1000)
        )
        entries = [entry for _, found in answer or () for entry, _ in found]
        if entries:
            await self._redis.xack(self._stream, "bare", *entries)
        return len(entries)


class BareRabbit:
    """One quorum queue; publishing with confirms, consuming with acknowledgements of many at once."""

    def __init__(self, publishing: Any, consuming: Any, queue: str) -> None:
        self._publishing, self._consuming, self._queue = publishing, consuming, queue
        self.arrived: asyncio.Queue[Any] = asyncio.Queue()

    async def publish(self, messages: Sequence[Message]) -> None:
        """All, then their confirmations."""
        from pamqp.commands import Basic

        await asyncio.gather(*(
            self._publishing.basic_publish(
                each.body, routing_key=self._queue, wait=False,
                properties=Basic.Properties(delivery_mode=2, headers={"key": each.key, "id": each.message_id}),
            )
            for each in messages
        ))  # fmt: skip

    async def take(self, most: int) -> int:
        """What has arrived, acknowledged up to its last."""
        last = await self.arrived.get()
        count = 1
        while count < most and not self.arrived.empty():
            last = self.arrived.get_nowait()
            count += 1
        await self._consuming.basic_ack(last.delivery.delivery_tag, multiple=True)
        return count


class BareKafka:
    """An idempotent producer with acks=all; a consumer that commits what it has read. Both wait in threads."""

    def __init__(self, producer: Any, consumer: Any, topic: str) -> None:
        self._producer, self._consumer, self._topic = producer, consumer, topic

    async def publish(self, messages: Sequence[Message]) -> None:
        """Produce all, then flush."""
        await asyncio.to_thread(self._publish, messages)

    async def take(self, most: int) -> int:
        """Consume and commit."""
        return await asyncio.to_thread(self._take, most)

    def _publish(self, messages: Sequence[Message]) -> None:
        for each in messages:
            self._producer.produce(
                self._topic, each.body, each.key.encode(), headers=[("id", each.message_id.encode())]
            )
        self._producer.flush()

    def _take(self, most: int) -> int:
        found = self._consumer.consume(most, 0)
        if not found and (first := self._consumer.poll(_WAIT_S)) is not None:
            found = [first, *self._consumer.consume(most - 1, 0)]
        if found:
            self._consumer.commit(asynchronous=False)
        return len(found)


@asynccontextmanager
async def bare_redis(url: str, name: str) -> AsyncIterator[BareClient]:
    """A stream of its own."""
    from redis.asyncio import Redis

    redis: Any = Redis.from_url(url)
    try:
        await redis.xgroup_create(name, "bare", id="0", mkstream=True)
        yield BareRedis(redis, name)
        await redis.delete(name)
    finally:
        await redis.aclose()


@asynccontextmanager
async def bare_rabbit(url: str, name: str) -> AsyncIterator[BareClient]:
    """A queue of its own, and a connection for each direction."""
    import aiormq

    publishing, consuming = await aiormq.connect(url), await aiormq.connect(url)
    try:
        out = await publishing.channel(publisher_confirms=True)
        into = await consuming.channel(publisher_confirms=False)
        await into.basic_qos(prefetch_count=2000)
        await into.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
        client = BareRabbit(out, into, name)
        await into.basic_consume(name, client.arrived.put)
        yield client
        await out.queue_delete(name)
    finally:
        await publishing.close()
        await consuming.close()


@asynccontextmanager
async def bare_kafka(url: str, name: str) -> AsyncIterator[BareClient]:
    """A topic of its own."""
    from confluent_kafka import Consumer, Producer
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

    admin = AdminClient({"bootstrap.servers": url})
    await asyncio.to_thread(admin.create_topics([NewTopic(name, 16, -1)])[name].result)
    producer = Producer({
        "bootstrap.servers": url, "enable.idempotence": True, "acks": "all", "linger.ms": 1,
        "compression.type": "lz4",
    })  # fmt: skip
    consumer = Consumer({
        "bootstrap.servers": url, "group.id": name, "enable.auto.commit": False, "auto.offset.reset": "earliest",
        "fetch.queue.backoff.ms": 10,
    })  # fmt: skip
    try:
        consumer.subscribe([name])
        while not consumer.assignment():
            await asyncio.to_thread(consumer.poll, 0.1)
        yield BareKafka(producer, consumer, name)
    finally:
        await asyncio.to_thread(consumer.close)
        admin.delete_topics([name])


BARE = {"redis": bare_redis, "rabbitmq": bare_rabbit, "kafka": bare_kafka}
