"""The limiter: every request is held against its tenant's and its key's limits before it is served.

Of each caller a process holds a lease: requests that it has taken from the store and may grant by itself for a moment. So
the store is asked once for many requests of a busy caller, and for each request of a quiet one. A lease is taken before
it is spent, so that processes together never grant more than the quota; a process that ends with a lease unspent wastes
at most a sixtieth of the quota.
"""

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from time import monotonic
from uuid import UUID

from knowlog.database import Database, Scope
from knowlog.kernel.errors import Invalid, KnowlogError, LimitReached, Misconfigured, Unavailable
from knowlog.tenants.limits import KINDS, THE_TENANT, Allowance, allowance, reached, record_usage
from knowlog.tenants.meters import SLOTS, Ask, Grant, Meter, PostgresMeter
from knowlog.tenants.model import Principal
from knowlog.tenants.settings import LimitsSettings

_LOG = logging.getLogger("knowlog.limits")
_WINDOW_S = 60
_LEASE_S = 1.0
_FRESH_S = 2.0
"""So long an allowance that was read is taken to be right; then a new limit holds everywhere."""
_DENIED_S = 1.0
_LARGEST_LEASE = 100
_LEASES_PER_MINUTE = 60
_MOST_CALLERS = 10_000
_FLUSH_S = 5.0
_REDIS_RESTS_S = 5.0


@dataclass(frozen=True, slots=True)
class Rate:
    """What an answer says of the limits (draft-ietf-httpapi-ratelimit-headers-10): the values of RateLimit-Policy and
    RateLimit.
    """

    policy: str
    state: str


class OverRate(LimitReached):
    """Too many requests; its answer says of the limits what every answer does."""

    rate: Rate | None = None


@dataclass(slots=True)
class _Lease:
    """What one caller may do without the store being asked."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    quotas: tuple[tuple[UUID, int], ...] = ()
    remaining: tuple[int, ...] = ()
    left: int = 0
    size: int = 1
    waiting: int = 0
    began: float = 0.0
    ends: float = 0.0
    retry_at: float = 0.0
    denied_until: float = 0.0
    never: bool = False


class Meters:
    """The store that the settings name; while Redis does not answer, PostgreSQL counts in its place."""

    def __init__(self, database: Database, settings: LimitsSettings) -> None:
        self._own = PostgresMeter(database)
        self._far = _redis(settings) if settings.store == "redis" else None
        self._rests_until = 0.0
        self.takes: Counter[str] = Counter()

    @property
    def resting(self) -> bool:
        """Whether Redis is wanted and not asked just now."""
        return monotonic() < self._rests_until

    async def take(self, ask: Ask) -> Grant:
        """Take from the quotas. Raises Unavailable when not even PostgreSQL answers."""
        if self._far is not None and not self.resting:
            try:
                self.takes["redis"] += 1
                return await self._far.take(ask)
            except Unavailable as error:
                self._rests_until = monotonic() + _REDIS_RESTS_S
                _LOG.warning("%s PostgreSQL counts for %.0f s.", error.detail, _REDIS_RESTS_S)
        self.takes["postgresql"] += 1
        return await self._own.take(ask)

    async def close(self) -> None:
        """Close connections."""
        if self._far is not None:
            await self._far.close()


class Limiter:
    """One process's share of the counting."""

    def __init__(self, database: Database, settings: LimitsSettings) -> None:
        self._database = database
        self.settings = settings
        self.meters = Meters(database, settings)
        self._leases: dict[tuple[UUID, UUID | None], _Lease] = {}
        self._allowances: dict[tuple[UUID, UUID | None], tuple[Allowance, float]] = {}
        self._counted: Counter[tuple[UUID, UUID, str]] = Counter()
        self._writing: asyncio.Task[None] | None = None

    async def admit(self, principal: Principal) -> Rate | None:
        """Let one request in. Returns what its answer says of the limits, None where there are none.

        Raises LimitReached, Unavailable.
        """
        caller = (principal.scope.tenant_id, principal.key_id)
        lease = self._leases.get(caller)
        if lease is None:
            if len(self._leases) >= _MOST_CALLERS:
                self._leases.clear()
            lease = self._leases[caller] = _Lease()
        while True:
            now = monotonic()
            if now < lease.denied_until:
                raise self._refusal(lease, now)
            if lease.left > 0 and now < lease.ends:
                lease.left -= 1
                self._count(caller, "requests", 1)
                return _rate("requests", lease.quotas, lease.remaining, lease.left)
            await self._renew(lease, caller)

    async def admit_uploads(self, principal: Principal, count: int) -> Rate | None:
        """Let some documents in, all or none.

        Raises LimitReached, Invalid for more than a minute may bring, Unavailable.
        """
        caller = (principal.scope.tenant_id, principal.key_id)
        quotas = tuple((await self.allowed(*caller)).of("uploads_per_minute"))
        if not quotas:
            self._count(caller, "uploads", count)
            return None
        holder, smallest = min(quotas, key=lambda each: each[1])
        if 0 < smallest < count:
            raise Invalid(
                f"These are {count:,} documents at once, and the limit is {smallest:,} a minute. Send fewer at a time."
            )
        grant = await self.meters.take(Ask(caller[0], "uploads", quotas, count, count, _WINDOW_S))
        if not grant.granted:
            holder, most = _scarcest(quotas, grant.remaining)
            raise reached("uploads_per_minute", most, holder, grant.wait_s)
        self._count(caller, "uploads", count)
        return _rate("uploads", quotas, grant.remaining, 0)

    def count_question(self, tenant_id: UUID, tokens: int) -> None:
        """Count the tokens of a question that was embedded. Questions are held against requests alone."""
        if tokens:
            self._counted[tenant_id, THE_TENANT, "embedding_tokens"] += tokens

    async def allowed(self, tenant_id: UUID, key_id: UUID | None) -> Allowance:
        """What a caller may use, as it was within the last two seconds."""
        found = self._allowances.get((tenant_id, key_id))
        if found is not None and monotonic() - found[1] < _FRESH_S:
            return found[0]
        async with self._database.transaction(Scope(tenant_id, "limits")) as connection:
            allowed = await allowance(connection, self.settings, key_id)
        if len(self._allowances) >= _MOST_CALLERS:
            self._allowances.clear()
        self._allowances[tenant_id, key_id] = allowed, monotonic()
        return allowed

    def forget(self, tenant_id: UUID) -> None:
        """The limits of a tenant have changed: in this process at once, in others within two seconds."""
        self._allowances = {
            caller: each for caller, each in self._allowances.items() if caller[0] != tenant_id
        }
        self._leases = {caller: each for caller, each in self._leases.items() if caller[0] != tenant_id}

    async def in_minute(self, tenant_id: UUID, holder: UUID) -> dict[str, int]:
        """How much a tenant or a key of it has used of its limits by the minute, by their names; leases included."""
        allowed = await self.allowed(tenant_id, None if holder == THE_TENANT else holder)
        used = {}
        for kind in ("requests_per_minute", "uploads_per_minute"):
            most = dict(allowed.of(kind)).get(holder)
            if most is not None:
                ask = Ask(tenant_id, KINDS[kind].counted, ((holder, most),), 0, 0, _WINDOW_S)
                used[kind] = most - (await self.meters.take(ask)).remaining[0]
        return used

    def start(self) -> None:
        """Write down what was counted every five seconds. A process that is killed loses that of five seconds."""
        self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write down what was counted. What cannot be written now is kept."""
        counted, self._counted = self._counted, Counter()
        if not counted:
            return
        try:
            await record_usage(self._database, [(*key, amount) for key, amount in sorted(counted.items())])
        except (
            Exception
        ) as error:  # a tenant deleted in this instant among them: the next time it is left out
            said = error.detail if isinstance(error, KnowlogError) else repr(error)
            _LOG.warning("usage is written down later: %s", said)
            self._counted.update(counted)

    async def close(self) -> None:
        """Write down what was counted, and close connections."""
        if self._writing is not None:
            self._writing.cancel()
        await self.flush()
        await self.meters.close()

    async def _renew(self, lease: _Lease, caller: tuple[UUID, UUID | None]) -> None:
        """Take another lease from the store, for all who wait for one."""
        lease.waiting += 1
        try:
            async with lease.lock:
                now = monotonic()
                if (lease.left > 0 and now < lease.ends) or now < lease.denied_until:
                    return
                lease.quotas = tuple((await self.allowed(*caller)).of("requests_per_minute"))
                if not lease.quotas:
                    lease.left, lease.remaining, lease.ends = _LARGEST_LEASE, (), monotonic() + _FRESH_S
                    return
                await self._take(lease, caller[0])
        finally:
            lease.waiting -= 1

    async def _take(self, lease: _Lease, tenant_id: UUID) -> None:
        """Those who wait get what they want; in advance as much as was used within a second before, twice over."""
        began = monotonic()
        busy = lease.left <= 0 and began - lease.began < _LEASE_S
        cap = max(1, min(_LARGEST_LEASE, min(quota for _, quota in lease.quotas) // _LEASES_PER_MINUTE))
        lease.size = min(cap, lease.size * 2) if busy else 1
        most = max(lease.size, lease.waiting)
        grant = await self.meters.take(Ask(tenant_id, "requests", lease.quotas, 1, most, _WINDOW_S))
        now = monotonic()
        lease.remaining, lease.left, lease.began, lease.ends = (
            grant.remaining,
            grant.granted,
            began,
            now + _LEASE_S,
        )
        if not grant.granted:
            lease.never = grant.wait_s is None
            lease.retry_at = now + (grant.wait_s or 0.0)
            lease.denied_until = now + min(_DENIED_S, grant.wait_s or _DENIED_S)

    def _refusal(self, lease: _Lease, now: float) -> OverRate:
        holder, most = _scarcest(lease.quotas, lease.remaining)
        wait_s = None if lease.never else max(1.0, lease.retry_at - now)
        told = reached("requests_per_minute", most, holder, wait_s)
        error = OverRate(told.detail, **told.extra)
        error.rate = _rate("requests", lease.quotas, lease.remaining, 0, wait_s)
        return error

    def _count(self, caller: tuple[UUID, UUID | None], counted: str, amount: int) -> None:
        self._counted[caller[0], THE_TENANT, counted] += amount
        if caller[1] is not None:
            self._counted[caller[0], caller[1], counted] += amount


def _redis(settings: LimitsSettings) -> Meter:
    if settings.redis_url is None:
        raise Misconfigured("KNOWLOG_LIMITS_STORE is redis: set KNOWLOG_LIMITS_REDIS_URL too.")
    try:
        from knowlog.tenants.adapters.redis import RedisMeter
    except ImportError as error:
        raise Misconfigured(
            "KNOWLOG_LIMITS_STORE=redis needs the extra: pip install 'knowlog[redis]'."
        ) from error
    return RedisMeter(settings.redis_url.get_secret_value())


def _scarcest(quotas: tuple[tuple[UUID, int], ...], remaining: tuple[int, ...]) -> tuple[UUID, int]:
    """The holder, and its limit, of which least is left."""
    return min(zip(quotas, remaining, strict=True), key=lambda each: each[1])[0]


def _rate(
    counted: str, quotas: tuple[tuple[UUID, int], ...], remaining: tuple[int, ...], left: int,
    wait_s: float | None = None,
) -> Rate | None:  # fmt: skip
    """`t`: by then the whole quota is there again, or where nothing is left, some of it."""
    if not quotas:
        return None
    resets_s = _WINDOW_S + _WINDOW_S // SLOTS if wait_s is None else -int(-wait_s // 1)
    names = [f'"{counted}"' if holder == THE_TENANT else f'"{counted}-of-key"' for holder, _ in quotas]
    policy = ", ".join(
        f"{name};q={most};w={_WINDOW_S}" for name, (_, most) in zip(names, quotas, strict=True)
    )
    state = ", ".join(f"{name};r={r + left};t={resets_s}" for name, r in zip(names, remaining, strict=True))
    return Rate(policy, state)
