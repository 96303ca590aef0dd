"""A queue of others."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiormq import exceptions

from knowlog.bus.adapters.failing import unavailable
from knowlog.bus.adapters.rabbitmq.calls import in_time, quietly
from knowlog.bus.adapters.rabbitmq.decoding import unreadable
from knowlog.bus.adapters.rabbitmq.topology import text_of
from knowlog.bus.port import Delivery, Message
from knowlog.kernel.errors import KnowlogError, Unavailable

if TYPE_CHECKING:
    from knowlog.bus.adapters.rabbitmq.broker import RabbitBroker

_PLAIN_PREFETCH = 100
_TAKEN = "exclusive use"
"""What RabbitMQ says of a queue that another has to itself."""


class PlainRabbit:
    """A queue of others. RabbitMQ has its messages until they are settled, or this connection ends.

    It is consumed alone: what RabbitMQ has sent ahead to a process that stands still comes back only when it gives that
    one's connection up, and whoever read on before would reverse the order.
    """

    def __init__(self, broker: "RabbitBroker", queue: str) -> None:
        self._broker, self._queue = broker, queue
        self._channel: Any = None
        self._consumer = ""
        self._ahead = self._wanted = 0
        self._arriving: asyncio.Queue[Delivery | None] = asyncio.Queue()

    async def receive(self, most: int, wait_s: float) -> list[Delivery]:
        """Return what RabbitMQ has sent ahead: as much as is asked for, so that whoever asks for one puts no others at
        risk.
        """
        self._wanted = min(most, _PLAIN_PREFETCH)
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
            if self._wanted > self._ahead:  # counts for a new consumer only
                await in_time(self._channel.basic_cancel(self._consumer))
                await self._consume(self._channel)
            else:
                await in_time(self._channel.basic_qos(prefetch_count=self._ahead))  # answered after the rest

    async def close(self) -> None:
        """Close the connection: RabbitMQ takes back what is not settled."""
        if self._channel is not None:
            await quietly(self._channel.connection.close())

    async def _open(self) -> None:
        connection = await self._broker.connect()
        try:
            channel = await in_time(connection.channel(publisher_confirms=False))
            found = await in_time(channel.queue_declare(self._queue, passive=True))
            if found.consumer_count:  # quorum queues of some releases know no exclusive consumers
                raise self._taken()
            await self._consume(channel)
        except KnowlogError as error:
            await quietly(connection.close())
            if isinstance(error.__cause__, exceptions.ChannelNotFoundEntity):
                raise Unavailable(
                    f"RabbitMQ has no queue {self._queue!r}. Create it, or delete the source."
                ) from error
            if isinstance(error.__cause__, exceptions.ChannelAccessRefused) and _TAKEN in error.detail:
                raise self._taken() from error
            raise
        except BaseException:
            await quietly(connection.close())
            raise
        for each in (connection, channel):
            each.closing.add_done_callback(lambda _: self._arriving.put_nowait(None))
        self._channel = channel

    async def _consume(self, channel: Any) -> None:
        self._ahead = self._wanted
        await in_time(channel.basic_qos(prefetch_count=self._ahead))
        consuming = await in_time(channel.basic_consume(self._queue, self._take, exclusive=True))
        self._consumer = consuming.consumer_tag

    def _taken(self) -> Unavailable:
        return Unavailable(
            f"The queue {self._queue!r} has another consumer. It is read, in its order, when that one is gone: end it,"
            " or wait until RabbitMQ has given up a connection that is broken."
        )

    async def _take(self, found: Any) -> None:
        if broken := unreadable(found.header):
            self._arriving.put_nowait(_unreadable(found, *broken))
            return
        properties = found.header.properties
        headers = {
            text_of(name).lower(): text_of(value) for name, value in (properties.headers or {}).items()
        }
        if properties.content_type:
            headers["content-type"] = text_of(properties.content_type)
        message = Message(found.delivery.routing_key or "", properties.message_id or "", found.body)
        self._arriving.put_nowait(Delivery(message, receipt=found.delivery.delivery_tag, headers=headers))


def _unreadable(found: Any, cause: str, shown: str) -> Delivery:
    message = Message(found.delivery.routing_key or "", "", found.body)
    return Delivery(
        message, receipt=found.delivery.delivery_tag, headers={"properties": shown}, unreadable=cause
    )
