"""A queue of others."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiormq import exceptions

from knowlog.bus.adapters.failing import unavailable
from knowlog.bus.adapters.rabbitmq.calls import in_time, quietly
from knowlog.bus.adapters.rabbitmq.topology import text_of
from knowlog.bus.port import Delivery, Message
from knowlog.kernel.errors import Unavailable

if TYPE_CHECKING:
    from knowlog.bus.adapters.rabbitmq.broker import RabbitBroker

_PLAIN_PREFETCH = 100


class PlainRabbit:
    """A queue of others. RabbitMQ has its messages until they are settled, or this connection ends."""

    def __init__(self, broker: "RabbitBroker", queue: str) -> None:
        self._broker, self._queue = broker, queue
        self._channel: Any = None
        self._arriving: asyncio.Queue[Delivery | None] = asyncio.Queue()

    async def receive(self, most: int, wait_s: float) -> list[Delivery]:
        """Return what RabbitMQ has sent ahead."""
        if self._channel is None:
            await self._open()
        found: list[Delivery | None] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                found.append(await self._arriving.get())
        while found and len(found) < most and not self._arriving.empty():
            found.append(self._arriving.get_nowait())
        if None in found:
            raise unavailable("RabbitMQ", "the connection was lost, or the queue was deleted")
        return [each for each in found if each is not None]

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge all up to the last."""
        if deliveries:
            last = max(each.receipt for each in deliveries)
            await in_time(self._channel.basic_ack(last, multiple=True))
            await in_time(self._channel.basic_qos(prefetch_count=_PLAIN_PREFETCH))  # answered after the rest

    async def close(self) -> None:
        """Close the connection: RabbitMQ takes back what is not settled."""
        if self._channel is not None:
            await quietly(self._channel.connection.close())

    async def _open(self) -> None:
        connection = await self._broker.connect()
        try:
            channel = await in_time(connection.channel(publisher_confirms=False))
            await in_time(channel.basic_qos(prefetch_count=_PLAIN_PREFETCH))
            await in_time(channel.queue_declare(self._queue, passive=True))
            await in_time(channel.basic_consume(self._queue, self._take))
        except Unavailable as error:
            await quietly(connection.close())
            if isinstance(error.__cause__, exceptions.ChannelNotFoundEntity):
                raise Unavailable(
                    f"RabbitMQ has no queue {self._queue!r}. Create it, or delete the source."
                ) from error
            raise
        except BaseException:
            await quietly(connection.close())
            raise
        for each in (connection, channel):
            each.closing.add_done_callback(lambda _: self._arriving.put_nowait(None))
        self._channel = channel

    async def _take(self, found: Any) -> None:
        properties = found.header.properties
        headers = {
            text_of(name).lower(): text_of(value) for name, value in (properties.headers or {}).items()
        }
        if properties.content_type:
            headers["content-type"] = text_of(properties.content_type)
        message = Message(found.delivery.routing_key or "", properties.message_id or "", found.body)
        self._arriving.put_nowait(Delivery(message, receipt=found.delivery.delivery_tag, headers=headers))
