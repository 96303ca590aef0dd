"""A member of a group."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

from knowlog.bus.adapters.lanes import FAILS_AFTER_S, LANES, again
from knowlog.bus.adapters.redis.calls import in_time, translated
from knowlog.bus.adapters.redis.scripts import BEAT, LEAVE, TRIM
from knowlog.bus.adapters.redis.streams import PIPELINED, by_lane, dead_name, lane_name, message_of, order_of
from knowlog.bus.port import Delivery
from knowlog.kernel.errors import KnowlogError
from knowlog.kernel.tasks import asked_to_end

if TYPE_CHECKING:
    from knowlog.bus.adapters.redis.broker import RedisBroker

_DEAD_KEPT = 100_000
_TRIM_S = 5.0
_LONGEST_BLOCK_S = 2.0
_BEATS_PER_LEASE = 4


class RedisSubscription:
    """One consumer; the lanes that it has at the moment, and what it has read of them."""

    def __init__(self, broker: "RedisBroker", topic: str, group: str, me: str) -> None:
        self._broker, self._redis = broker, broker.redis
        self._topic, self._group, self._me = topic, group, me
        self._keys = [f"{{{topic}}}:{group}:members", f"{{{topic}}}:{group}:owners"]
        self._lease_s = broker.takeover_s
        self._beaten = self._trimmed = 0.0
        self._beating: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._fair = LANES
        self._mine: set[int] = set()
        self._leaving: set[int] = set()
        self._reading: set[int] = set()
        self._swept = monotonic()
        self._fresh: set[int] = set()
        """Lanes of which something may be pending that this consumer does not know of."""
        self._ready: deque[Delivery] = deque()
        self._given: dict[tuple[int, bytes], Delivery] = {}

    async def receive(self, most: int, wait_s: float) -> list[Delivery]:
        """Return what is pending from former owners of the lanes, then what is new."""
        deadline = monotonic() + wait_s
        if self._beating is None:
            await self._join()
            self._beating = asyncio.create_task(self._beat_on())
        try:
            while True:
                await self._take_over()
                left = deadline - monotonic()
                if self._ready or await self._read(most, left) or left <= 0:
                    return self._give(most)
        except KnowlogError:
            self._fresh = set(self._mine)  # an answer that was lost on its way is pending
            raise

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge, and now and then trim what all groups have settled."""
        if not deliveries:
            return
        pipeline = self._redis.pipeline(transaction=False)
        for lane, ids in by_lane(deliveries).items():
            pipeline.xack(lane_name(self._topic, lane), self._group, *ids)
        await in_time(pipeline.execute())
        self._forget(deliveries)
        if monotonic() - self._trimmed > _TRIM_S:
            self._trimmed = monotonic()
            await self._trim()

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        """Put messages before those that are next. They stay pending, so that whoever gets the lane finds them."""
        back = again(deliveries, lambda each: each.receipt[0] in self._mine)
        self._forget(deliveries)
        self._ready.extendleft(sorted(back, key=lambda each: order_of(each.receipt[1]), reverse=True))

    async def bury(self, deliveries: Sequence[Delivery], reason: str) -> None:
        """Write messages to the dead-letter stream and settle them, in one transaction."""
        if not deliveries:
            return
        pipeline = self._redis.pipeline(transaction=True)
        for each in deliveries:
            lane, entry = each.receipt
            message = each.message
            fields = {"k": message.key, "i": message.message_id, "b": message.body, "r": reason}
            pipeline.xadd(dead_name(self._topic), fields, maxlen=_DEAD_KEPT, approximate=True)
            pipeline.xack(lane_name(self._topic, lane), self._group, entry)
        await in_time(pipeline.execute())
        self._forget(deliveries)

    async def close(self) -> None:
        """Free the lanes at once, where Redis can be reached; else their lease runs out."""
        if self._beating is None:
            return
        self._beating.cancel()
        with contextlib.suppress(KnowlogError):
            async with self._lock:
                await in_time(self._redis.eval(LEAVE, 2, *self._keys, self._me))
                await self._trim()

    async def _join(self) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for lane in range(LANES):
            pipeline.xgroup_create(lane_name(self._topic, lane), self._group, id="0", mkstream=True)
        for answer in await in_time(pipeline.execute(raise_on_error=False)):
            if isinstance(answer, Exception) and not str(answer).startswith("BUSYGROUP"):
                raise translated(answer)
        await self._beat()

    async def _beat_on(self) -> None:
        while not asked_to_end():
            await asyncio.sleep(self._lease_s / _BEATS_PER_LEASE)
            with contextlib.suppress(KnowlogError):
                await self._beat()

    async def _beat(self) -> None:
        """Renew the lease on the lanes. Lanes that others should have are given up once nothing of them is held."""
        async with self._lock:
            given_up = self._surplus()
            self._mine -= given_up
            started = monotonic()
            fair, mine = await in_time(
                self._redis.eval(BEAT, 2, *self._keys, self._me, int(self._lease_s * 1000), LANES, *given_up)
            )
            self._fair, self._beaten = fair, started
            self._fresh |= set(mine) - self._mine
            self._mine = set(mine)
            self._fresh &= self._mine
            self._ready = deque(each for each in self._ready if each.receipt[0] in self._mine)

    def _surplus(self) -> set[int]:
        """Lanes that others should have and of which nothing is held. From the rest of them nothing more is read."""
        held = {lane for lane, _ in self._given} | {each.receipt[0] for each in self._ready}
        too_many = max(0, len(self._mine) - self._fair)
        self._leaving = set(sorted(self._mine, key=lambda lane: (lane not in self._leaving, lane))[:too_many])
        return self._leaving - held - self._reading

    async def _require_lease(self) -> None:
        """A process that slept longer than its lease must not read on from lanes that others have now."""
        if monotonic() - self._beaten > self._lease_s * 0.8:
            await self._beat()

    async def _take_over(self) -> None:
        await self._require_lease()
        if (
            monotonic() - self._swept > self._lease_s
        ):  # what somebody read at the moment when it lost the lane
            self._swept = monotonic()
            self._fresh |= self._mine
        for lane in sorted(self._fresh):
            name, cursor = lane_name(self._topic, lane), b"0-0"
            while True:
                cursor, entries, *_ = await in_time(
                    self._redis.xautoclaim(name, self._group, self._me, 0, start_id=cursor, count=PIPELINED)
                )
                await self._add_pending(lane, entries)
                if cursor == b"0-0":
                    break
            self._fresh.discard(lane)

    async def _add_pending(self, lane: int, entries: Sequence[Any]) -> None:
        known = {each.receipt for each in self._ready} | set(self._given)
        missing = [(entry, fields) for entry, fields in entries if fields and (lane, entry) not in known]
        if not missing:
            return
        counted = await in_time(
            self._redis.xpending_range(
                lane_name(self._topic, lane), self._group, missing[0][0], missing[-1][0], len(entries)
            )
        )
        attempts = {each["message_id"]: each["times_delivered"] for each in counted}
        for entry, fields in missing:
            self._ready.append(Delivery(message_of(fields), attempts.get(entry, 2), (lane, entry)))

    async def _read(self, most: int, wait_s: float) -> bool:
        """Read what is new; return whether anything came. `most` counts for each lane; what is over stays ready."""
        lanes = self._mine - self._fresh - self._leaving
        longest = min(wait_s, self._lease_s / _BEATS_PER_LEASE, _LONGEST_BLOCK_S)
        if not lanes:
            await asyncio.sleep(max(0.0, min(longest, 0.1)))
            return False
        streams = {lane_name(self._topic, lane): ">" for lane in lanes}
        block = max(1, int(longest * 1000)) if longest > 0 else None
        reading = asyncio.ensure_future(
            in_time(
                self._redis.xreadgroup(self._group, self._me, streams, count=most, block=block),
                FAILS_AFTER_S + longest,
            )
        )
        self._reading = lanes
        try:
            answer = await asyncio.shield(reading)
        except asyncio.CancelledError:
            # What Redis has given is this consumer's, whether its caller has the patience or not.
            self._fresh |= lanes
            reading.cancel()
            raise
        finally:
            self._reading = set()
        for name, entries in answer or ():
            lane = int(name.rpartition(b":")[2])
            self._ready.extend(Delivery(message_of(fields), 1, (lane, entry)) for entry, fields in entries)
        return bool(answer)

    def _give(self, most: int) -> list[Delivery]:
        given = [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
        self._given |= {each.receipt: each for each in given}
        return given

    def _forget(self, deliveries: Iterable[Delivery]) -> None:
        for each in deliveries:
            self._given.pop(each.receipt, None)

    async def _trim(self) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for lane in self._mine:
            pipeline.eval(TRIM, 1, lane_name(self._topic, lane))
        await in_time(pipeline.execute())
