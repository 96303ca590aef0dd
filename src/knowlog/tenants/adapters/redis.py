"""Meters in Redis: one round trip for all holders, by Redis' own clock.

Not the library `limits`: its moving window keeps an entry for each request, its other windows let more than the quota
pass where two windows meet, and none takes from a tenant's and a key's quota at once, or a lease of several.
"""

from typing import Any

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from knowlog.kernel.errors import Misconfigured, Unavailable
from knowlog.kernel.secrecy import ENCODE
from knowlog.tenants.meters import SLOTS, Ask, Grant

_TIMEOUT_S = 0.5
_CONNECTIONS = 8
_TAKE = """
-- KEYS a hash of slots for each holder; ARGV least, most, window in s, twelfths, quotas...
-- Returns granted, wait in ms (-1: never), what is left for each holder.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local least, granted = tonumber(ARGV[1]), tonumber(ARGV[2])
local slots, slot_s = ARGV[4] + 1, ARGV[3] / ARGV[4]
local present = math.floor(now / slot_s)
local wait, left = 0, {}
for i, key in ipairs(KEYS) do
  local quota, counts, used = tonumber(ARGV[4 + i]), {}, 0
  local all = redis.call('HGETALL', key)
  for n = 1, #all, 2 do
    local slot = tonumber(all[n])
    if slot <= present - slots then redis.call('HDEL', key, all[n])
    else counts[slot] = tonumber(all[n + 1]); used = used + counts[slot] end
    if slot > present then present = slot end
  end
  if quota - used < least then
    granted = 0
    if least > quota then wait = -1
    elseif wait >= 0 then
      local sum = quota - used
      for slot = present - slots + 1, present do
        sum = sum + (counts[slot] or 0)
        if sum >= least then wait = math.max(wait, (slot + slots) * slot_s - now); break end
      end
    end
  end
  granted = math.min(granted, math.max(0, quota - used))
  left[i] = quota - used
end
if granted > 0 then
  for i, key in ipairs(KEYS) do
    redis.call('HINCRBY', key, string.format('%d', present), string.format('%d', granted))
    redis.call('EXPIRE', key, ARGV[3] * 2)
  end
end
local answer = {granted, wait < 0 and -1 or math.ceil(wait * 1000)}
for i, each in ipairs(left) do answer[i + 2] = math.max(0, each - granted) end
return answer
"""


class RedisMeter:
    """Counts in Redis. It is asked once, shortly: who waits for it waits with a request."""

    def __init__(self, url: str) -> None:
        try:
            pool = BlockingConnectionPool.from_url(
                url, max_connections=_CONNECTIONS, timeout=_TIMEOUT_S, socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S, retry=Retry(NoBackoff(), 0),
            )  # fmt: skip
        except ValueError as error:
            raise Misconfigured(
                f"KNOWLOG_LIMITS_REDIS_URL is not an address of Redis: write redis://host:port/0. {ENCODE}"
            ) from error
        self._redis: Any = Redis.from_pool(pool)
        self._take = self._redis.register_script(_TAKE)

    async def take(self, ask: Ask) -> Grant:
        """See `Meter`."""
        keys = [f"knowlog:limits:{{{ask.tenant_id}}}:{holder}:{ask.counted}" for holder, _ in ask.quotas]
        quotas = [quota for _, quota in ask.quotas]
        try:
            found = await self._take(keys=keys, args=[ask.least, ask.most, ask.window_s, SLOTS, *quotas])
        except (exceptions.RedisError, OSError, TimeoutError) as error:
            raise Unavailable(f"Redis, which counts requests, does not answer: {error}.") from error
        granted, wait_ms, *left = map(int, found)
        return Grant(granted, tuple(left), None if wait_ms < 0 else wait_ms / 1000)

    async def check(self) -> str:
        """The version of the server. Raises Unavailable."""
        try:
            return str((await self._redis.info("server"))["redis_version"])
        except (exceptions.RedisError, OSError, TimeoutError) as error:
            raise Unavailable(f"Redis, which counts requests, does not answer: {error}.") from error

    async def close(self) -> None:
        """Close connections."""
        await self._redis.aclose()
