"""The connection for publishing; dead letters; and whoever subscribes."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiormq
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from knowlog.bus.adapters.lanes import FAILS_AFTER_S, lane_of, require_size
from knowlog.bus.adapters.rabbitmq.calls import all_in_time, in_time, quietly
from knowlog.bus.adapters.rabbitmq.decoding import decode_tolerantly
from knowlog.bus.adapters.rabbitmq.plain import PlainRabbit
from knowlog.bus.adapters.rabbitmq.subscription import RabbitSubscription
from knowlog.bus.adapters.rabbitmq.topology import (
    Declare,
    dead_name,
    declare_dead,
    declare_queue,
    declare_topic,
    message_of,
    reason_of,
    text_of,
)
from knowlog.bus.port import Message
from knowlog.bus.settings import BusSettings
from knowlog.kernel.errors import KnowlogError, Misconfigured
from knowlog.kernel.secrecy import ENCODE

logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # what fails is told by our errors
decode_tolerantly()
_PIPELINED = 1000
_LAST_DEAD_S = 0.5
_PERSISTENT = 2


class RabbitBroker:
    """A connection for publishing, and one for each subscription, so that a slow consumer does not hold up others."""

    most_bytes = 8 * 2**20

    def __init__(self, url: str, settings: BusSettings) -> None:
        if not _is_address(url):
            raise Misconfigured(
                f"KNOWLOG_BUS_URL is not an address of RabbitMQ: write amqp://user:password@host:port/. {ENCODE}"
            )
        self.takeover_s = settings.takeover_s
        self._url = url + ("&" if "?" in url else "?") + f"heartbeat={max(2, int(settings.takeover_s))}"
        self._channel: Any = None
        self._known: set[tuple[str, Declare]] = set()
        self._lock = asyncio.Lock()

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """Return when RabbitMQ has confirmed all of them."""
        require_size(messages, self.most_bytes)
        for start in range(0, len(messages), _PIPELINED):
            await self._publish(topic, [(each, {}) for each in messages[start : start + _PIPELINED]])

    async def publish_plain(self, topic: str, messages: Sequence[Message]) -> None:
        """Put messages into one durable quorum queue, through the default exchange; `key` and `id` are headers."""
        require_size(messages, self.most_bytes)
        for start in range(0, len(messages), _PIPELINED):
            channel = await self._open(topic, declare_queue)
            await self._send(
                channel, "", [(each, topic, {}) for each in messages[start : start + _PIPELINED]]
            )

    @asynccontextmanager
    async def subscribe(self, topic: str, group: str, consumer: str) -> AsyncIterator["RabbitSubscription"]:
        """Join the group; its queues are made by the first receive."""
        subscription = RabbitSubscription(self, topic, group, f"{consumer}-{uuid4().hex[:8]}")
        try:
            yield subscription
        finally:
            await subscription.close()

    @asynccontextmanager
    async def subscribe_plain(self, topic: str, group: str) -> AsyncIterator["PlainRabbit"]:
        """Consume a classic or quorum queue of others. A queue has no groups."""
        subscription = PlainRabbit(self, topic)
        try:
            yield subscription
        finally:
            await subscription.close()

    async def dead(self, topic: str, most: int) -> list[tuple[Message, str]]:
        """Read the topic's stream of dead letters from its beginning."""
        found: list[tuple[Message, str]] = await in_time(self._read_dead(topic, most), FAILS_AFTER_S * 2)
        return found

    async def check(self) -> str:
        """Ask RabbitMQ for its name and version."""
        connection = await self.connect()
        try:
            properties = connection.server_properties
            return f"{text_of(properties['product'])} {text_of(properties['version'])}"
        finally:
            await quietly(connection.close())

    async def clock(self) -> datetime | None:
        """RabbitMQ does not tell."""
        return None

    async def close(self) -> None:
        """Close the connection for publishing."""
        await self._give_up(self._channel)

    async def _give_up(self, channel: Any) -> None:
        if channel is self._channel:  # else somebody has opened another meanwhile
            self._channel = None
        if channel is not None:
            await quietly(channel.connection.close())

    async def connect(self) -> Any:
        """Open a connection. Raises Unavailable, Misconfigured."""
        return await in_time(aiormq.connect(self._url))

    async def bury(self, topic: str, messages: Sequence[Message], reason: str) -> None:
        """Write messages to the topic's stream of dead letters."""
        if not messages:
            return
        await in_time(declare_dead(await self._open(topic), topic))
        await self._publish(topic, [(each, {"reason": reason}) for each in messages])

    async def _publish(self, topic: str, messages: Sequence[tuple[Message, Mapping[str, str]]]) -> None:
        """Publish to the topic's lanes. Those with headers are dead letters."""
        channel = await self._open(topic)
        dead = [(message, dead_name(topic), headers) for message, headers in messages if headers]
        await self._send(channel, "", dead)
        mine = [(message, str(lane_of(message.key)), headers) for message, headers in messages if not headers]
        await self._send(channel, topic, mine)

    async def _send(
        self, channel: Any, exchange: str, messages: Sequence[tuple[Message, str, Mapping[str, str]]]
    ) -> None:
        """Send all, each under its routing key, then wait for the confirmation of each."""
        sending = [
            channel.basic_publish(
                message.body,
                exchange=exchange,
                routing_key=routing_key,
                properties=Basic.Properties(
                    delivery_mode=_PERSISTENT,
                    headers={"key": message.key, "id": message.message_id, **headers},
                ),
                wait=False,
            )
            for message, routing_key, headers in messages
        ]
        try:
            await all_in_time(sending)
        except KnowlogError:
            await self._give_up(channel)
            raise

    async def _open(self, topic: str, declare: Declare | None = None) -> Any:
        async with self._lock:
            if self._channel is None or self._channel.is_closed or self._channel.connection.is_closed:
                connection = await self.connect()
                self._channel = await in_time(connection.channel(publisher_confirms=True))
                self._known.clear()
            declare = declare or declare_topic
            if (topic, declare) not in self._known:
                await in_time(declare(self._channel, topic))
                self._known.add((topic, declare))
            return self._channel

    async def _read_dead(self, topic: str, most: int) -> list[tuple[Message, str]]:
        connection = await self.connect()
        try:
            channel = await connection.channel()
            told = (await declare_dead(channel, topic)).message_count or 0
            await channel.basic_qos(prefetch_count=min(most, 60_000))
            arriving: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
            await channel.basic_consume(
                dead_name(topic), arriving.put, arguments={"x-stream-offset": "first"}
            )
            found: list[tuple[Message, str]] = []
            with contextlib.suppress(TimeoutError):
                while len(found) < most:
                    # A stream has no end; how many it holds is told, but some seconds late.
                    async with asyncio.timeout(FAILS_AFTER_S if len(found) < told else _LAST_DEAD_S):
                        each = await arriving.get()
                    found.append((message_of(each), reason_of(each)))
            return found
        finally:
            await quietly(connection.close())


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("amqp", "amqps") and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
