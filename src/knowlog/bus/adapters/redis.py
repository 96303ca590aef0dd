"""Redis streams: a lane is a stream, leased to one consumer of a group at a time, in Redis itself.

A consumer beats: it says that it lives, gives up lanes that others should have, takes free ones. Whoever gets a lane
takes over what its last owner has left unsettled (XAUTOCLAIM), so that order survives a takeover. What every group has
settled is trimmed away.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any
from uuid import uuid4

import orjson
from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from knowlog.bus.adapters.lanes import FAILS_AFTER_S, LANES, lane_of, require_size
from knowlog.bus.port import Delivery, Message
from knowlog.bus.settings import BusSettings
from knowlog.kernel.errors import KnowlogError, Misconfigured, TooLarge, Unavailable
from knowlog.kernel.tasks import asked_to_end

_PIPELINED = 500
_KEPT = 1_000_000  # messages of a lane that nobody reads
_DEAD_KEPT = 100_000
_TRIM_S = 5.0
_LONGEST_BLOCK_S = 2.0
_BEATS_PER_LEASE = 4
_READER = "knowlog"
_LOOK_BACK_S = 15.0
_BODIES = ("data", "body", "message", "payload")

_BEAT = """
-- KEYS members, owners; ARGV me, lease in ms, lanes, lanes that I give up...
-- Returns the lanes that are mine now, and how many I should have.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
local fair = math.ceil(ARGV[3] / redis.call('ZCARD', KEYS[1]))
for i = 4, #ARGV do
  if redis.call('HGET', KEYS[2], ARGV[i]) == ARGV[1] then redis.call('HDEL', KEYS[2], ARGV[i]) end
end
local mine, free = {}, {}
for lane = 0, ARGV[3] - 1 do
  local owner = redis.call('HGET', KEYS[2], lane)
  if owner == ARGV[1] then mine[#mine + 1] = lane
  elseif not owner or not redis.call('ZSCORE', KEYS[1], owner) then free[#free + 1] = lane end
end
for _, lane in ipairs(free) do
  if #mine < fair then
    redis.call('HSET', KEYS[2], lane, ARGV[1])
    mine[#mine + 1] = lane
  end
end
return {fair, mine}
"""
_LEAVE = """
-- KEYS members, owners; ARGV me. Its lanes are free at once.
redis.call('ZREM', KEYS[1], ARGV[1])
local owners = redis.call('HGETALL', KEYS[2])
for i = 1, #owners, 2 do
  if owners[i + 1] == ARGV[1] then redis.call('HDEL', KEYS[2], owners[i]) end
end
"""
_TRIM = """
-- KEYS a lane. Deletes what all its groups have settled; returns how much that was.
local function before(a, b)
  local am, as = a:match('(%d+)-(%d+)')
  local bm, bs = b:match('(%d+)-(%d+)')
  if tonumber(am) ~= tonumber(bm) then return tonumber(am) < tonumber(bm) end
  return tonumber(as) < tonumber(bs)
end
local lowest
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local name, read
  for i = 1, #group, 2 do
    if group[i] == 'name' then name = group[i + 1] end
    if group[i] == 'last-delivered-id' then read = group[i + 1] end
  end
  local pending = redis.call('XPENDING', KEYS[1], name)
  local settled = pending[2] or read
  if not lowest or before(settled, lowest) then lowest = settled end
end
if not lowest then return 0 end
return redis.call('XTRIM', KEYS[1], 'MINID', '=', lowest)
"""


class RedisBroker:
    """A pool of connections for the process."""

    most_bytes = 8 * 2**20

    def __init__(self, url: str, settings: BusSettings) -> None:
        self.takeover_s = settings.takeover_s
        self._keep = settings.publish_keep
        try:
            self.redis: Any = Redis.from_url(
                url, socket_connect_timeout=2, socket_timeout=FAILS_AFTER_S, socket_keepalive=True,
                health_check_interval=0, retry=Retry(NoBackoff(), 1), max_connections=256,
            )  # fmt: skip
        except ValueError as error:
            raise Misconfigured(
                f"KNOWLOG_BUS_URL is not an address of Redis: write redis://host:port/0 ({error})."
            ) from error

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """Return when Redis has written all of them, as its `appendfsync` says."""
        require_size(messages, self.most_bytes)
        for some in _portions(messages, self.most_bytes):
            pipeline = self.redis.pipeline(transaction=False)
            for each in some:
                fields = {"k": each.key, "i": each.message_id, "b": each.body}
                pipeline.xadd(lane_name(topic, lane_of(each.key)), fields, maxlen=_KEPT, approximate=True)
            await in_time(pipeline.execute())

    async def publish_plain(self, topic: str, messages: Sequence[Message]) -> None:
        """Append to one stream: `data` is the body, `key` what keeps its order, `id` tells repetitions apart."""
        require_size(messages, self.most_bytes)
        for some in _portions(messages, self.most_bytes):
            pipeline = self.redis.pipeline(transaction=False)
            for each in some:
                fields = {"data": each.body, "key": each.key, "id": each.message_id}
                pipeline.xadd(topic, fields, maxlen=self._keep, approximate=True)
            await in_time(pipeline.execute())

    @asynccontextmanager
    async def subscribe(self, topic: str, group: str, consumer: str) -> AsyncIterator["RedisSubscription"]:
        """Join the group; its streams are made by the first receive."""
        subscription = RedisSubscription(self, topic, group, f"{consumer}-{uuid4().hex[:8]}")
        try:
            yield subscription
        finally:
            await subscription.close()

    @asynccontextmanager
    async def subscribe_plain(self, topic: str, group: str) -> AsyncIterator["PlainRedis"]:
        """Read a stream of others; the group begins at its beginning."""
        yield PlainRedis(self, topic, group)

    async def dead(self, topic: str, most: int) -> list[tuple[Message, str]]:
        """Read the topic's dead-letter stream from its beginning."""
        found = await in_time(self.redis.xrange(dead_name(topic), count=most))
        return [(_message(fields), fields.get(b"r", b"").decode(errors="replace")) for _, fields in found]

    async def check(self) -> str:
        """Ask Redis for its version, and whether it keeps what it acknowledges."""
        server = await in_time(self.redis.info("server"))
        kept = await in_time(self.redis.info("persistence"))
        memory = await in_time(self.redis.info("memory"))
        lasting = (
            "writes to disk" if kept.get("aof_enabled") else "keeps nothing across a restart (appendonly no)"
        )
        return f"Redis {server['redis_version']}, {memory['used_memory_human']} in use, {lasting}"

    async def close(self) -> None:
        """Close all connections."""
        await self.redis.aclose()


class RedisSubscription:
    """One consumer; the lanes that it has at the moment, and what it has read of them."""

    def __init__(self, broker: RedisBroker, topic: str, group: str, me: str) -> None:
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
        for lane, ids in _by_lane(deliveries).items():
            pipeline.xack(lane_name(self._topic, lane), self._group, *ids)
        await in_time(pipeline.execute())
        self._forget(deliveries)
        if monotonic() - self._trimmed > _TRIM_S:
            self._trimmed = monotonic()
            await self._trim()

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        """Put messages before those that are next. They stay pending, so that whoever gets the lane finds them."""
        again = [
            Delivery(each.message, each.attempt + 1, each.receipt)
            for each in deliveries if each.receipt[0] in self._mine
        ]  # fmt: skip
        self._forget(deliveries)
        self._ready.extendleft(sorted(again, key=lambda each: _order(each.receipt[1]), reverse=True))

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
                await in_time(self._redis.eval(_LEAVE, 2, *self._keys, self._me))
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
                self._redis.eval(_BEAT, 2, *self._keys, self._me, int(self._lease_s * 1000), LANES, *given_up)
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
                    self._redis.xautoclaim(name, self._group, self._me, 0, start_id=cursor, count=_PIPELINED)
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
            self._ready.append(Delivery(_message(fields), attempts.get(entry, 2), (lane, entry)))

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
            self._ready.extend(Delivery(_message(fields), 1, (lane, entry)) for entry, fields in entries)
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
            pipeline.eval(_TRIM, 1, lane_name(self._topic, lane))
        await in_time(pipeline.execute())


def lane_name(topic: str, lane: int) -> str:
    """The stream of a lane. The braces keep all that belongs to a topic on one node of a cluster."""
    return f"{{{topic}}}:{lane}"


def dead_name(topic: str) -> str:
    """The stream of what nobody could read."""
    return f"{{{topic}}}:dead"


def _message(fields: dict[bytes, bytes]) -> Message:
    """A message of ours; of what a stranger has put into a lane as much as there is, for whoever reads it to refuse."""
    key, message_id = (fields.get(name, b"").decode(errors="replace") for name in (b"k", b"i"))
    return Message(key, message_id, fields.get(b"b", b""))


def _by_lane(deliveries: Iterable[Delivery]) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    for each in deliveries:
        found.setdefault(each.receipt[0], []).append(each.receipt[1])
    return found


def _order(entry: bytes) -> tuple[int, int]:
    milliseconds, _, number = entry.partition(b"-")
    return int(milliseconds), int(number)


def _portions(messages: Sequence[Message], most_bytes: int) -> Iterable[list[Message]]:
    """Parts that are written in one go: not too many, and not too large for the time that a call may take."""
    some: list[Message] = []
    size = 0
    for message in messages:
        if some and (len(some) >= _PIPELINED or size + len(message.body) > most_bytes):
            yield some
            some, size = [], 0
        some.append(message)
        size += len(message.body)
    if some:
        yield some


async def in_time(work: Awaitable[Any], timeout_s: float = FAILS_AFTER_S) -> Any:
    """Await an answer of Redis; what goes wrong is raised as one of our errors.

    A cancellation that meets the client while it connects comes out as an error of the connection; it stays one here.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        async with asyncio.timeout(timeout_s):
            return await work
    except (exceptions.RedisError, OSError) as error:  # a TimeoutError is an OSError
        if task and task.cancelling() > before:
            raise asyncio.CancelledError from error
        raise translated(error) from error


def translated(error: Exception) -> KnowlogError:
    """Redis's error as one of ours."""
    if isinstance(error, exceptions.AuthenticationError | exceptions.NoPermissionError):
        return Misconfigured(f"Redis refuses: {error}. Check user and password in KNOWLOG_BUS_URL.")
    if isinstance(error, exceptions.ResponseError) and "exceeds" in str(error):
        return TooLarge("A message is larger than Redis takes. Store the content and send a reference.")
    if isinstance(error, exceptions.ResponseError) and "WRONGTYPE" in str(error):
        return Misconfigured(
            "A key of Redis that should be a stream holds another kind of value. Name another stream, or another"
            " database of Redis in KNOWLOG_BUS_URL (redis://host:port/1)."
        )
    why = str(error) or "it does not answer"
    return Unavailable(
        f"Redis cannot be reached or used now ({why}). Check that it runs, and KNOWLOG_BUS_URL."
    )


class PlainRedis:
    """A stream of others, read by one consumer at a time. Nothing is deleted from it."""

    def __init__(self, broker: RedisBroker, stream: str, group: str) -> None:
        self._redis, self._stream, self._group = broker.redis, stream, group
        self._joined = False
        self._behind: bytes | None = b"0-0"
        """Where to look for what a former reader has left unsettled; None when that is done."""
        self._looked = 0.0

    async def receive(self, most: int, wait_s: float) -> list[Delivery]:
        """Return what was left unsettled before, then what is new."""
        if not self._joined:
            await self._join()
        if self._behind is not None and (found := await self._left(most)):
            return found
        block = max(1, int(wait_s * 1000))
        reading = self._redis.xreadgroup(self._group, _READER, {self._stream: ">"}, count=most, block=block)
        answer = await in_time(reading, FAILS_AFTER_S + wait_s)
        if not answer and monotonic() - self._looked > _LOOK_BACK_S:
            self._behind = b"0-0"
        return [_plain(*entry) for _, entries in answer or () for entry in entries]

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge."""
        if deliveries:
            ids = [each.receipt for each in deliveries]
            await in_time(self._redis.xack(self._stream, self._group, *ids))

    async def _join(self) -> None:
        try:
            await in_time(self._redis.xgroup_create(self._stream, self._group, id="0", mkstream=True))
        except KnowlogError as error:
            if "BUSYGROUP" not in str(error.__cause__):
                raise
        self._joined = True

    async def _left(self, most: int) -> list[Delivery]:
        """What was delivered and not acknowledged, oldest first; entries that were trimmed meanwhile are passed over."""
        while self._behind is not None:
            cursor, entries, *_ = await in_time(
                self._redis.xautoclaim(
                    self._stream, self._group, _READER, 0, start_id=self._behind, count=most
                )
            )
            self._behind = None if cursor == b"0-0" else cursor
            self._looked = monotonic()
            if found := [_plain(entry, fields) for entry, fields in entries if fields]:
                return found
        return []


def _plain(entry: bytes, fields: dict[bytes, bytes]) -> Delivery:
    """The body is the field named data, body, message or payload, or the only one; else all fields as a JSON object."""
    text = {name.decode(errors="replace"): value for name, value in fields.items()}
    held = next((name for name in _BODIES if name in text), next(iter(text)) if len(text) == 1 else None)
    headers = {name.lower(): value.decode(errors="replace") for name, value in text.items() if name != held}
    if held is None:
        body = orjson.dumps({name: value.decode(errors="replace") for name, value in text.items()})
    else:
        body = text[held]
    return Delivery(Message("", entry.decode(), body), receipt=entry, headers=headers)
