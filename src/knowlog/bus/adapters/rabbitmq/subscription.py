"""A member of a group."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import orjson
from aiormq.abc import DeliveredMessage

from knowlog.bus.adapters.failing import unavailable
from knowlog.bus.adapters.lanes import LANES, Settled, again, lanes_of
from knowlog.bus.adapters.rabbitmq.calls import in_time, quietly
from knowlog.bus.adapters.rabbitmq.topology import dead_name, declare_dead, declare_topic, message_of
from knowlog.bus.port import Delivery
from knowlog.kernel.errors import KnowlogError
from knowlog.kernel.tasks import asked_to_end

if TYPE_CHECKING:
    from knowlog.bus.adapters.rabbitmq.broker import RabbitBroker

_PREFETCH = 200
_GREETING_S = 0.2
_BEATS_PER_LEASE = 6
_DELIVERY_LIMIT = 200


class RabbitSubscription:
    """A member of a group: a connection with one channel, which consumes the lanes that are this member's."""

    def __init__(self, broker: "RabbitBroker", topic: str, group: str, me: str) -> None:
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
                raise unavailable("RabbitMQ", "the connection was lost")
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
                await in_time(channel.basic_ack(upto, multiple=True))
            for tag in singly:
                await in_time(channel.basic_ack(tag, wait=False))
        except KnowlogError:
            await self._give_up(channel)
            raise
        for tag in tags:
            self._given.pop(tag, None)

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        """Put messages before those that are next. RabbitMQ has them until they are settled or this member leaves."""
        back = again(deliveries, lambda each: each.receipt[0] is self._channel)
        for each in back:
            self._given.pop(each.receipt[2], None)
        self._ready.extendleft(sorted(back, key=lambda each: int(each.receipt[2]), reverse=True))

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
            channel = self._channel = await in_time(connection.channel(publisher_confirms=False))
            await self._join(channel)
            await self._make_dead(connection)
        except BaseException:
            self._channel = None
            await quietly(connection.close())
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
            await quietly(channel.connection.close())

    async def _join(self, channel: Any) -> None:
        """Make the group's queues, hear of the other members and greet them."""
        members = self._members
        await in_time(channel.basic_qos(prefetch_count=_PREFETCH))
        await in_time(declare_topic(channel, self._topic))
        arguments = {
            "x-queue-type": "quorum", "x-single-active-consumer": True, "x-delivery-limit": _DELIVERY_LIMIT,
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead_name(self._topic),
        }  # fmt: skip
        for lane in range(LANES):
            await in_time(channel.queue_declare(self._lane(lane), durable=True, arguments=arguments))
            await in_time(channel.queue_bind(self._lane(lane), self._topic, str(lane)))
        await in_time(channel.exchange_declare(members, exchange_type="fanout", auto_delete=True))
        mine = await in_time(channel.queue_declare("", exclusive=True))
        await in_time(channel.queue_bind(mine.queue, members))
        await in_time(channel.basic_consume(mine.queue, self._hear, no_ack=True))
        await self._tell()

    async def _make_dead(self, connection: Any) -> None:
        """For what RabbitMQ itself gives up on. Nothing else waits for it: on a channel of its own it may fail."""
        with contextlib.suppress(KnowlogError):
            channel = await in_time(connection.channel())
            await in_time(declare_dead(channel, self._topic))
            await quietly(channel.close())

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
            await in_time(
                self._channel.basic_consume(
                    self._lane(lane), self._receiver(lane, self._channel), consumer_tag=self._consuming[lane]
                )
            )

    async def _leave_lane(self, lane: int) -> None:
        """Take nothing more from a lane; give back what nobody has seen. It is held until the rest is settled."""
        await in_time(self._channel.basic_cancel(self._consuming.pop(lane)))
        unseen = [each for each in self._ready if each.receipt[1] == lane]
        self._ready = deque(each for each in self._ready if each.receipt[1] != lane)
        for each in unseen:
            self._tags.settle(each.receipt[2])
            await in_time(self._channel.basic_nack(each.receipt[2], requeue=True, wait=False))

    async def _tell(self, leaving: bool = False) -> None:
        held = sorted({*self._consuming, *self._given.values()})
        body = orjson.dumps({"member": self._me, "lanes": held, "leaving": leaving})
        await in_time(self._channel.basic_publish(body, exchange=self._members))

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
            self._ready.append(Delivery(message_of(message), attempt, (channel, lane, tag)))
            self._arrived.set()

        return receive
