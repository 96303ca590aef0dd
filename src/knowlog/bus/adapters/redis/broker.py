"""The connections of a process."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from knowlog.bus.adapters.lanes import FAILS_AFTER_S, lane_of, require_size
from knowlog.bus.adapters.redis.calls import in_time
from knowlog.bus.adapters.redis.plain import PlainRedis
from knowlog.bus.adapters.redis.streams import dead_name, lane_name, message_of, portions
from knowlog.bus.adapters.redis.subscription import RedisSubscription
from knowlog.bus.port import Message
from knowlog.bus.settings import BusSettings
from knowlog.kernel.errors import Misconfigured
from knowlog.kernel.secrecy import ENCODE

_KEPT = 1_000_000  # messages of a lane that nobody reads


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
                f"KNOWLOG_BUS_URL is not an address of Redis: write redis://host:port/0. {ENCODE}"
            ) from error

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """Return when Redis has written all of them, as its `appendfsync` says."""
        require_size(messages, self.most_bytes)
        for some in portions(messages, self.most_bytes):
            pipeline = self.redis.pipeline(transaction=False)
            for each in some:
                fields = {"k": each.key, "i": each.message_id, "b": each.body}
                pipeline.xadd(lane_name(topic, lane_of(each.key)), fields, maxlen=_KEPT, approximate=True)
            await in_time(pipeline.execute())

    async def publish_plain(self, topic: str, messages: Sequence[Message]) -> None:
        """Append to one stream: `data` is the body, `key` what keeps its order, `id` tells repetitions apart."""
        require_size(messages, self.most_bytes)
        for some in portions(messages, self.most_bytes):
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
        return [(message_of(fields), fields.get(b"r", b"").decode(errors="replace")) for _, fields in found]

    async def check(self) -> str:
        """Ask Redis for its version, whether it keeps what it acknowledges, and whether it has room."""
        server = await in_time(self.redis.info("server"))
        kept = await in_time(self.redis.info("persistence"))
        memory = await in_time(self.redis.info("memory"))
        lasting = (
            "writes to disk" if kept.get("aof_enabled") else "keeps nothing across a restart (appendonly no)"
        )
        return (
            f"Redis {server['redis_version']}, {memory['used_memory_human']} in use{_room(memory)}, {lasting}"
        )

    async def clock(self) -> datetime | None:
        """Redis tells its seconds and microseconds."""
        seconds, microseconds = await in_time(self.redis.time())
        return datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)

    async def close(self) -> None:
        """Close all connections."""
        await self.redis.aclose()


def _room(memory: Mapping[str, Any]) -> str:
    """What Redis does at its limit of memory, where it has one and that is wrong; and whether it is there."""
    most = int(memory.get("maxmemory", 0))
    if not most:
        return ""
    policy, full = memory.get("maxmemory_policy", ""), int(memory["used_memory"]) >= most
    told = [f"full (maxmemory {memory['maxmemory_human']})"] if full else []
    told += (
        [f"drops what waits when it is full (maxmemory-policy {policy})"] if policy != "noeviction" else []
    )
    return "".join(f", {each}" for each in told)
