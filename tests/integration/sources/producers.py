"""Publishing to users' brokers with their own clients, as a program that knows nothing of knowlog does."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aio_pika
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis


class Producer(Protocol):
    """What these tests want of a client."""

    async def make(self, topic: str) -> None: ...
    async def send(
        self, topic: str, body: bytes, key: str = "", headers: Mapping[str, str] | None = None
    ) -> None: ...


class RedisProducer:
    def __init__(self, redis: Any) -> None:
        self.redis = redis

    async def make(self, topic: str) -> None:
        """A stream is made by its first entry."""

    async def send(
        self, topic: str, body: bytes, key: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        await self.redis.xadd(topic, {**(headers or {}), "data": body})


class RabbitProducer:
    def __init__(self, channel: Any) -> None:
        self.channel = channel

    async def make(self, topic: str) -> None:
        await self.channel.declare_queue(topic, durable=True)

    async def send(
        self, topic: str, body: bytes, key: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        message = aio_pika.Message(body, headers=dict(headers or {}))
        await self.channel.default_exchange.publish(message, routing_key=topic)


class KafkaProducer:
    def __init__(self, producer: AIOKafkaProducer, admin: AIOKafkaAdminClient) -> None:
        self.producer, self.admin = producer, admin

    async def make(self, topic: str) -> None:
        await self.admin.create_topics([NewTopic(topic, num_partitions=3, replication_factor=1)])

    async def send(
        self, topic: str, body: bytes, key: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        await self.producer.send_and_wait(
            topic, body, key=key.encode() or None,
            headers=[(name, value.encode()) for name, value in (headers or {}).items()],
        )  # fmt: skip


@asynccontextmanager
async def producer(kind: str, url: str) -> AsyncIterator[Producer]:
    """A client of this kind."""
    if kind == "redis":
        redis: Any = Redis.from_url(url)
        yield RedisProducer(redis)
        await redis.aclose()
    elif kind == "rabbitmq":
        connection = await aio_pika.connect(url)
        yield RabbitProducer(await connection.channel())
        await connection.close()
    else:
        async with AIOKafkaProducer(bootstrap_servers=url) as sending:
            admin = AIOKafkaAdminClient(bootstrap_servers=url)
            await admin.start()
            yield KafkaProducer(sending, admin)
            await admin.close()
