"""RabbitMQ by aiormq, the protocol layer of aio-pika: quorum queues, publisher confirms, persistent messages.

Each lane of a group is a queue with a single active consumer. RabbitMQ gives all lanes to whoever comes first, so the
members of a group tell each other that they live and which lanes they hold, and consume only those that are theirs.
Dead letters are a stream: it can be read again and again. A connection that fails is given up, and the next call opens
another.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import uuid4

import aiormq
import orjson
from aiormq import exceptions
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from knowlog.bus.adapters.lanes import FAILS_AFTER_S, LANES, Settled, lane_of, lanes_of, require_size
from knowlog.bus.port import Delivery, Message
from knowlog.bus.settings import BusSettings
from knowlog.kernel.errors import KnowlogError, Misconfigured, Unavailable
from knowlog.kernel.tasks import asked_to_end

logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # what fails is told by our errors

_PREFETCH = 200
_PLAIN_PREFETCH = 100
_PIPELINED = 1000
_GREETING_S = 0.2
_BEATS_PER_LEASE = 6
_LAST_DEAD_S = 0.5
_DEAD_BYTES = 2**30
_DELIVERY_LIMIT = 200
_PERSISTENT = 2
_REFUSED = (exceptions.AuthenticationError, exceptions.ChannelAccessRefused)
_WRONG = ("not found", "refused", "inequivalent arg")
"""What RabbitMQ says when settings are wrong, under codes that it also uses while it starts or recovers."""

Declare = Callable[[Any, str], Awaitable[None]]
"""Makes what a topic is made of, unless it is there."""


class RabbitBroker:
    """A connection for publishing, and one for each subscription, so that a slow consumer does not hold up others."""

    most_bytes = 8 * 2**20

    def __init__(self, url: str, settings: BusSettings) -> None:
        if urlsplit(url).scheme not in ("amqp", "amqps"):
            raise Misconfigured(
                "KNOWLOG_BUS_URL is not an address of RabbitMQ: write amqp://user:password@host:port/."
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
        found: list[tuple[Message, str]] = await _in_time(self._read_dead(topic, most), FAILS_AFTER_S * 2)
        return found

    async def check(self) -> str:
        """Ask RabbitMQ for its name and version."""
        connection = await self.connect()
        try:
            properties = connection.server_properties
            return f"{_text(properties['product'])} {_text(properties['version'])}"
        finally:
            await _quietly(connection.close())

    async def close(self) -> None:
        """Close the connection for publishing."""
        await self._give_up(self._channel)

    async def _give_up(self, channel: Any) -> None:
        if channel is self._channel:  # else somebody has opened another meanwhile
            self._channel = None
        if channel is not None:
            await _quietly(channel.connection.close())

    async def connect(self) -> Any:
        """Open a connection. Raises Unavailable, Misconfigured."""
        return await _in_time(aiormq.connect(self._url))

    async def bury(self, topic: str, messages: Sequence[Message], reason: str) -> None:
        """Write messages to the topic's stream of dead letters."""
        if not messages:
            return
        await _in_time(declare_dead(await self._open(topic), topic))
        await self._publish(topic, [(each, {"reason": reason}) for each in messages])

    async def _publish(self, topic: str, messages: Sequence[tuple[Message, Mapping[str, str]]]) -> None:
        """Publish to the topic's lanes. Those with headers are dead letters."""
        channel = await self._open(topic)
        dead = [(message, _dead_name(topic), headers) for message, headers in messages if headers]
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
            await _all(sending)
        except KnowlogError:
            await self._give_up(channel)
            raise

    async def _open(self, topic: str, declare: Declare | None = None) -> Any:
        async with self._lock:
            if self._channel is None or self._channel.is_closed or self._channel.connection.is_closed:
                connection = await self.connect()
                self._channel = await _in_time(connection.channel(publisher_confirms=True))
                self._known.clear()
            declare = declare or declare_topic
            if (topic, declare) not in self._known:
                await _in_time(declare(self._channel, topic))
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
                _dead_name(topic), arriving.put, arguments={"x-stream-offset": "first"}
            )
            found: list[tuple[Message, str]] = []
            with contextlib.suppress(TimeoutError):
                while len(found) < most:
                    # A stream has no end; how many it holds is told, but some seconds late.
                    async with asyncio.timeout(FAILS_AFTER_S if len(found) < told else _LAST_DEAD_S):
                        each = await arriving.get()
                    found.append((_message(each), _reason(each)))
            return found
        finally:
            await _quietly(connection.close())


class RabbitSubscription:
    """A member of a group: a connection with one channel, which consumes the lanes that are this member's."""

    def __init__(self, broker: RabbitBroker, topic: str, group: str, me: str) -> None:
        self._broker, self._topic, self._group, self._me = broker, topic, group, me
        self._members = f"{topic}.{group}.members"
        self._takeover_s = broker.takeover_s
        self._channel: Any = None
        self._beating: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()
        self._ready: deque[Delivery] = deque()
        self._given: dict[int, int] = {}
        """Delivery tag -> lane, of what was received and is not settled."""
        self._tags = Settled(1)
        self._consuming: dict[int, str] = {}
        """Lane -> consumer tag."""
        self._others: dict[str, tuple[float, frozenset[int]]] = {}
        """Member -> when it was last heard of, and the lanes that it holds."""
        self._lock = asyncio.Lock()

    async def receive(self, most: int, wait_s: float) -> list[Delivery]:
        """Return what RabbitMQ has sent ahead."""
        deadline = monotonic() + wait_s
        await self._open()
        while not self._ready and (left := deadline - monotonic()) > 0:
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._arrived.wait()
            if self._is_closed():
                await self._give_up(self._channel)
                raise _unavailable("the connection was lost")
        given = [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
        self._given |= {each.receipt[2]: each.receipt[1] for each in given}
        return given

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge: all up to a number at once where nothing before it is missing, the rest one by one."""
        channel = self._channel
        tags = sorted(each.receipt[2] for each in deliveries if each.receipt[0] is channel)
        if not tags:
            return
        for tag in tags:
            self._tags.settle(tag)
        upto = max((tag for tag in tags if tag < self._tags.upto), default=None)
        singly = [tag for tag in tags if tag >= self._tags.upto]
        try:
            if upto is not None:
                await _in_time(channel.basic_ack(upto, multiple=True))
            for tag in singly:
                await _in_time(channel.basic_ack(tag, wait=False))
        except KnowlogError:
            await self._give_up(channel)
            raise
        for tag in tags:
            self._given.pop(tag, None)

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        """Put messages before those that are next. RabbitMQ has them until they are settled or this member leaves."""
        again = [
            Delivery(each.message, each.attempt + 1, each.receipt)
            for each in deliveries if each.receipt[0] is self._channel
        ]  # fmt: skip
        for each in again:
            self._given.pop(each.receipt[2], None)
        self._ready.extendleft(sorted(again, key=lambda each: int(each.receipt[2]), reverse=True))

    async def bury(self, deliveries: Sequence[Delivery], reason: str) -> None:
        """Write messages to the stream of dead letters, then settle them."""
        await self._broker.bury(self._topic, [each.message for each in deliveries], reason)
        await self.settle(deliveries)

    async def close(self) -> None:
        """Tell the others, and close the connection: RabbitMQ takes back what is not settled."""
        if self._channel is not None:
            async with self._lock:
                with contextlib.suppress(KnowlogError):
                    await self._tell(leaving=True)
            await self._give_up(self._channel)

    def _is_closed(self) -> bool:
        return self._channel is None or self._channel.is_closed or self._channel.connection.is_closed

    async def _open(self) -> None:
        if not self._is_closed():
            return
        await self._give_up(self._channel)
        connection = await self._broker.connect()
        try:
            channel = self._channel = await _in_time(connection.channel(publisher_confirms=False))
            await self._join(channel)
            await self._make_dead(connection)
        except BaseException:
            self._channel = None
            await _quietly(connection.close())
            raise
        for each in (connection, channel):
            each.closing.add_done_callback(lambda _: self._arrived.set())
        self._beating = asyncio.create_task(self._beat_on())
        await asyncio.sleep(_GREETING_S)  # until the others have answered
        await self._beat()

    async def _give_up(self, channel: Any) -> None:
        """Forget a connection and all that came through it; RabbitMQ delivers again what was not settled."""
        if channel is not self._channel:
            return  # somebody else has done it
        self._channel = None
        if self._beating is not None:
            self._beating.cancel()
        self._ready.clear()
        for kept in (self._given, self._consuming, self._others):
            kept.clear()
        self._tags = Settled(1)
        if channel is not None:
            await _quietly(channel.connection.close())

    async def _join(self, channel: Any) -> None:
        """Make the group's queues, hear of the other members and greet them."""
        members = self._members
        await _in_time(channel.basic_qos(prefetch_count=_PREFETCH))
        await _in_time(declare_topic(channel, self._topic))
        arguments = {
            "x-queue-type": "quorum", "x-single-active-consumer": True, "x-delivery-limit": _DELIVERY_LIMIT,
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": _dead_name(self._topic),
        }  # fmt: skip
        for lane in range(LANES):
            await _in_time(channel.queue_declare(self._lane(lane), durable=True, arguments=arguments))
            await _in_time(channel.queue_bind(self._lane(lane), self._topic, str(lane)))
        await _in_time(channel.exchange_declare(members, exchange_type="fanout", auto_delete=True))
        mine = await _in_time(channel.queue_declare("", exclusive=True))
        await _in_time(channel.queue_bind(mine.queue, members))
        await _in_time(channel.basic_consume(mine.queue, self._hear, no_ack=True))
        await self._tell()

    async def _make_dead(self, connection: Any) -> None:
        """For what RabbitMQ itself gives up on. Nothing else waits for it: on a channel of its own it may fail."""
        with contextlib.suppress(KnowlogError):
            channel = await _in_time(connection.channel())
            await _in_time(declare_dead(channel, self._topic))
            await _quietly(channel.close())

    def _lane(self, lane: int) -> str:
        return f"{self._topic}.{self._group}.{lane}"

    async def _beat_on(self) -> None:
        while not asked_to_end():
            await asyncio.sleep(self._takeover_s / _BEATS_PER_LEASE)
            with contextlib.suppress(KnowlogError):
                await self._beat()

    async def _beat(self) -> None:
        """Say that this member lives, and consume the lanes that are its own."""
        async with self._lock:
            if not self._is_closed():
                await self._share()
                await self._tell()

    async def _share(self) -> None:
        now = monotonic()
        self._others = {name: each for name, each in self._others.items() if now - each[0] < self._takeover_s}
        members = sorted([self._me, *self._others])
        mine = lanes_of(members.index(self._me), len(members))
        theirs = {lane for _, lanes in self._others.values() for lane in lanes}
        for lane in set(self._consuming) - mine:
            await self._leave_lane(lane)
        for lane in mine - set(self._consuming) - theirs:
            self._consuming[lane] = f"{self._me}-{lane}-{uuid4().hex[:4]}"
            await _in_time(
                self._channel.basic_consume(
                    self._lane(lane), self._receiver(lane, self._channel), consumer_tag=self._consuming[lane]
                )
            )

    async def _leave_lane(self, lane: int) -> None:
        """Take nothing more from a lane; give back what nobody has seen. It is held until the rest is settled."""
        await _in_time(self._channel.basic_cancel(self._consuming.pop(lane)))
        unseen = [each for each in self._ready if each.receipt[1] == lane]
        self._ready = deque(each for each in self._ready if each.receipt[1] != lane)
        for each in unseen:
            self._tags.settle(each.receipt[2])
            await _in_time(self._channel.basic_nack(each.receipt[2], requeue=True, wait=False))

    async def _tell(self, leaving: bool = False) -> None:
        held = sorted({*self._consuming, *self._given.values()})
        body = orjson.dumps({"member": self._me, "lanes": held, "leaving": leaving})
        await _in_time(self._channel.basic_publish(body, exchange=self._members))

    async def _hear(self, message: DeliveredMessage) -> None:
        said = orjson.loads(message.body)
        name = said["member"]
        if name == self._me:
            return
        before = self._others.pop(name, None)
        if not said["leaving"]:
            self._others[name] = (monotonic(), frozenset(said["lanes"]))
        if before is None or said["leaving"] or before[1] - set(said["lanes"]):
            with contextlib.suppress(KnowlogError):
                await self._beat()

    def _receiver(self, lane: int, channel: Any) -> Any:
        async def receive(message: DeliveredMessage) -> None:
            if channel is not self._channel:
                return
            tag: int = cast(Any, message.delivery).delivery_tag
            self._tags.give(tag)
            headers: Any = message.header.properties.headers or {}
            attempt = headers.get("x-delivery-count", 0) + 1
            self._ready.append(Delivery(_message(message), attempt, (channel, lane, tag)))
            self._arrived.set()

        return receive


async def declare_topic(channel: Any, topic: str) -> None:
    """Make a topic's exchange unless it is there."""
    await channel.exchange_declare(topic, exchange_type="direct", durable=True)


async def declare_queue(channel: Any, topic: str) -> None:
    """Make a queue that others read unless it is there."""
    await channel.queue_declare(topic, durable=True, arguments={"x-queue-type": "quorum"})


async def declare_dead(channel: Any, topic: str) -> Any:
    """Make a topic's stream of dead letters unless it is there. After a restart it is back later than the queues."""
    arguments = {"x-queue-type": "stream", "x-max-length-bytes": _DEAD_BYTES}
    return await channel.queue_declare(_dead_name(topic), durable=True, arguments=arguments)


def _dead_name(topic: str) -> str:
    return f"{topic}.dead"


def _message(found: DeliveredMessage) -> Message:
    headers = found.header.properties.headers or {}
    return Message(_text(headers.get("key", "")), _text(headers.get("id", "")), found.body)


def _reason(found: DeliveredMessage) -> str:
    """Ours, or RabbitMQ's own, which says how often a message was delivered in vain."""
    headers: Any = found.header.properties.headers or {}
    if "reason" in headers:
        return _text(headers["reason"])
    deaths = headers.get("x-death") or [{}]
    return f"RabbitMQ: {_text(deaths[0].get('reason', 'unknown'))}"


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)


async def _all(sending: Sequence[Awaitable[Any]]) -> None:
    """Await all, also when one fails; then raise the first failure."""
    tasks = [asyncio.ensure_future(each) for each in sending]
    if not tasks:
        return
    await _wait(tasks, FAILS_AFTER_S)
    for task in tasks:
        _answer(task)


async def _in_time(work: Awaitable[Any], timeout_s: float = FAILS_AFTER_S) -> Any:
    """Await an answer of RabbitMQ; what goes wrong is raised as one of our errors."""
    task = asyncio.ensure_future(work)
    await _wait([task], timeout_s)
    return _answer(task)


async def _wait(tasks: Sequence[asyncio.Future[Any]], timeout_s: float) -> None:
    """Wait, and leave to itself what is not done in time: aiormq, when cancelled, still writes to the connection, and on
    a broken one that never ends.
    """
    try:
        await asyncio.wait(tasks, timeout=timeout_s)
    finally:
        for task in tasks:
            if not task.done():
                task.add_done_callback(_forget)
                task.cancel()


def _answer(task: asyncio.Future[Any]) -> Any:
    if not task.done():
        raise _unavailable("it does not answer")
    if task.cancelled():  # aiormq cancels what waits for a connection that breaks
        raise _unavailable("the connection was lost")
    try:
        return task.result()
    except Exception as error:  # a connection that breaks raises what it likes, bare Exception too
        raise _translated(error) from error


def _forget(task: asyncio.Future[Any]) -> None:
    """Take note of how it ended, so that asyncio does not complain that nobody did."""
    if not task.cancelled():
        task.exception()


async def _quietly(closing: Awaitable[Any]) -> None:
    task = asyncio.ensure_future(closing)
    task.add_done_callback(_forget)
    await _wait([task], 1)


def _translated(error: Exception) -> KnowlogError:
    wrong = isinstance(error, exceptions.ConnectionNotAllowed | exceptions.ChannelPreconditionFailed)
    if isinstance(error, _REFUSED) or (wrong and any(each in str(error) for each in _WRONG)):
        return Misconfigured(f"RabbitMQ refuses: {error}. Check KNOWLOG_BUS_URL and the rights of its user.")
    return _unavailable(str(error) or "it does not answer")


def _unavailable(why: str) -> Unavailable:
    return Unavailable(
        f"RabbitMQ cannot be reached or used now ({why}). Check that it runs, and KNOWLOG_BUS_URL."
    )


class PlainRabbit:
    """A queue of others. RabbitMQ has its messages until they are settled, or this connection ends."""

    def __init__(self, broker: RabbitBroker, queue: str) -> None:
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
            raise _unavailable("the connection was lost, or the queue was deleted")
        return [each for each in found if each is not None]

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge all up to the last."""
        if deliveries:
            last = max(each.receipt for each in deliveries)
            await _in_time(self._channel.basic_ack(last, multiple=True))
            await _in_time(self._channel.basic_qos(prefetch_count=_PLAIN_PREFETCH))  # answered after the rest

    async def close(self) -> None:
        """Close the connection: RabbitMQ takes back what is not settled."""
        if self._channel is not None:
            await _quietly(self._channel.connection.close())

    async def _open(self) -> None:
        connection = await self._broker.connect()
        try:
            channel = await _in_time(connection.channel(publisher_confirms=False))
            await _in_time(channel.basic_qos(prefetch_count=_PLAIN_PREFETCH))
            await _in_time(channel.queue_declare(self._queue, passive=True))
            await _in_time(channel.basic_consume(self._queue, self._take))
        except Unavailable as error:
            await _quietly(connection.close())
            if isinstance(error.__cause__, exceptions.ChannelNotFoundEntity):
                raise Unavailable(
                    f"RabbitMQ has no queue {self._queue!r}. Create it, or delete the source."
                ) from error
            raise
        except BaseException:
            await _quietly(connection.close())
            raise
        for each in (connection, channel):
            each.closing.add_done_callback(lambda _: self._arriving.put_nowait(None))
        self._channel = channel

    async def _take(self, found: Any) -> None:
        properties = found.header.properties
        headers = {_text(name).lower(): _text(value) for name, value in (properties.headers or {}).items()}
        if properties.content_type:
            headers["content-type"] = _text(properties.content_type)
        message = Message(found.delivery.routing_key or "", properties.message_id or "", found.body)
        self._arriving.put_nowait(Delivery(message, receipt=found.delivery.delivery_tag, headers=headers))
