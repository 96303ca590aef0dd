"""Limits: what a tenant, and one of its keys, may use; and what has been used."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.kernel.errors import Forbidden, Invalid, LimitReached, NotFound
from knowlog.kernel.wording import counted
from knowlog.tenants.actions import get_key, operator_principal
from knowlog.tenants.audit import record, record_as_operator
from knowlog.tenants.model import NO_TENANT, Principal
from knowlog.tenants.settings import LimitsSettings

SQL = load_queries("knowlog.tenants", "limits.sql")
THE_TENANT = UUID(int=0)
"""Stands for the tenant itself where a key may stand."""
MOST = 2**53


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of limit. `counted` is what usage calls it; `window`: minute, day, month, or None for what is stored.
    `words`: one of what it limits.
    """

    name: str
    counted: str
    window: str | None
    words: str
    of_keys: bool


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("requests_per_minute", "requests", "minute", "request", of_keys=True),
        Kind("uploads_per_minute", "uploads", "minute", "uploaded document", of_keys=True),
        Kind("upload_bytes_per_day", "upload_bytes", "day", "uploaded byte", of_keys=True),
        Kind("stored_bytes", "stored_bytes", None, "stored byte", of_keys=False),
        Kind("documents", "documents", None, "document", of_keys=False),
        Kind("embedding_tokens_per_day", "embedding_tokens", "day", "embedded token", of_keys=False),
        Kind("llm_tokens_per_day", "llm_tokens", "day", "token of language models", of_keys=True),
        Kind("money_micros_per_month", "money_micros", "month", "millionth of money", of_keys=True),
    )
}
REBUILT = "rebuild_tokens"
"""Tokens embedded anew because the operator has changed the model: counted, and held against no limit."""
KINDS_OF_KEYS = tuple(name for name, kind in KINDS.items() if kind.of_keys)
STORING = ("stored_bytes", "documents", "upload_bytes_per_day")
"""What an upload is held against in the transaction that stores it."""
OF_MODELS = ("llm_tokens_per_day", "money_micros_per_month")
"""What calls of language models are held against. Where one is reached, something else answers: nothing is refused."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a caller may use: each limit with its holder (a key, or THE_TENANT). Kinds without limit are left out.
    `defaults` are those of the tenant for which the operator has set nothing.
    """

    of_tenant: Mapping[str, int]
    of_key: Mapping[str, int]
    key_id: UUID | None
    defaults: frozenset[str] = frozenset()

    def of(self, kind: str) -> list[tuple[UUID, int]]:
        """The holders of a limit of this kind, and how much each may; the tenant first."""
        found = [(THE_TENANT, self.of_tenant[kind])] if kind in self.of_tenant else []
        if self.key_id is not None and kind in self.of_key:
            found.append((self.key_id, self.of_key[kind]))
        return found


@dataclass(frozen=True, slots=True)
class Used:
    """How much of a limit is used at this moment; `most` None: there is no limit. What is counted by day or month begins
    anew at `resets_at`. `is_default`: the operator has set nothing else.
    """

    limit: str
    most: int | None
    used: int
    resets_at: datetime | None
    is_default: bool


@dataclass(frozen=True, slots=True)
class DayUsed:
    """What was used on a day (UTC), by all of the tenant."""

    day: str
    counted: str
    amount: int


async def allowance(connection: Connection, settings: LimitsSettings, key_id: UUID | None) -> Allowance:
    """What the transaction's tenant, and one of its keys, may use."""
    rows = await connection.fetch(SQL["limits"], key_id)
    own = {row["kind"]: row["most"] for row in rows if row["key_id"] is None}
    wanted = {name: own.get(name, getattr(settings, name)) for name in KINDS}
    return Allowance(
        {name: most for name, most in wanted.items() if most is not None},
        {row["kind"]: row["most"] for row in rows if row["key_id"] is not None},
        key_id,
        frozenset(name for name in KINDS if name not in own),
    )


async def spend(connection: Connection, counted: str, amount: int, key_id: UUID | None = None) -> None:
    """Count what was used, today, in the transaction of its effect: for the tenant, and for a key of it.

    Raises Invalid for an amount that is negative or absurd.
    """
    if not 0 <= amount <= MOST:
        raise Invalid(f"An amount is 0 to {MOST:,}.")
    if counted not in {
        REBUILT,
        *(kind.counted for kind in KINDS.values() if kind.window in {"day", "month"}),
    }:
        raise Invalid(f"Nothing counts {counted!r:.50}.")
    if amount:
        await connection.execute(SQL["spend"], counted, amount, [THE_TENANT, *filter(None, [key_id])])


async def check(connection: Connection, allowed: Allowance, kinds: Collection[str], least: int = 1) -> None:
    """Raise LimitReached when less than `least` is left of one of these limits: asked before the work."""
    await _require(connection, allowed, kinds, least)


async def require_within(connection: Connection, allowed: Allowance, kinds: Collection[str]) -> None:
    """Raise LimitReached when more is counted than is allowed, what this transaction has done included."""
    await _require(connection, allowed, kinds, 0)


async def hold_within(connection: Connection, allowed: Allowance, kinds: Collection[str]) -> None:
    """As `require_within`, and nobody else of the tenant passes here until this transaction ends: so nothing is passed by
    what happens at the same time. Where there is no limit, nobody waits.
    """
    if any(allowed.of(kind) for kind in kinds):
        await connection.execute(SQL["lock"])
        await require_within(connection, allowed, kinds)


async def _require(connection: Connection, allowed: Allowance, kinds: Collection[str], least: int) -> None:
    limits = [(kind, holder, most) for kind in kinds for holder, most in allowed.of(kind)]
    if not limits:
        return
    used = await _used(connection, kinds, {holder for _, holder, _ in limits})
    for kind, holder, most in limits:
        amount, left_s = used.get((KINDS[kind].counted, holder), (0, 3600.0))
        if amount + least > most:
            raise reached(kind, most, holder, left_s)


async def _used(
    connection: Connection, kinds: Collection[str], holders: Collection[UUID]
) -> dict[tuple[str, UUID], tuple[int, float]]:
    """By what is counted and holder: how much in the present day, month or altogether; seconds until that ends."""
    counted = [KINDS[kind].counted for kind in kinds]
    windows = [KINDS[kind].window for kind in kinds]
    rows = await connection.fetch(SQL["used"], counted, windows, list(holders))
    return {(row["counted"], row["holder"]): (row["amount"], row["left_s"]) for row in rows}


def reached(kind: str, most: int, holder: UUID, wait_s: float | None) -> LimitReached:
    """The refusal: which limit, whose, and when it is worth to come back."""
    whose = "your tenant" if holder == THE_TENANT else "your key"
    window = KINDS[kind].window
    each = f" a {window}" if window else ""
    if window is None:
        when, wait_s = "delete documents, or ask the operator for more", 3600.0
    elif wait_s is None:
        when, wait_s = "it allows none: ask an admin or the operator for more", 3600.0
    elif window == "minute":
        when = f"send this again in {_seconds(wait_s)}"
    else:
        when = f"the {window} ends in {_hours(wait_s)} (UTC)"
    end = f"; {when}." if kind in OF_MODELS else f". Nothing was done; {when}."
    detail = f"The limit of {counted(most, KINDS[kind].words)}{each} of {whose} is reached{end}"
    return LimitReached(detail, retry_after_s=max(1.0, wait_s), limit=kind)


def _seconds(wait_s: float) -> str:
    return counted(max(1, -int(-wait_s // 1)), "second")


def _hours(wait_s: float) -> str:
    hours, minutes = divmod(max(1, -int(-wait_s // 60)), 60)
    return f"{hours} h {minutes} min"


async def usage_now(
    connection: Connection, allowed: Allowance, holder: UUID, minutes: Mapping[str, int]
) -> list[Used]:
    """How much of each limit of a holder is used now. `minutes`: what is used of those by the minute."""
    names = KINDS if holder == THE_TENANT else KINDS_OF_KEYS
    used = await _used(connection, [name for name in names if KINDS[name].window != "minute"], [holder])
    moment: datetime = await connection.fetchval("select clock_timestamp()")
    now: list[Used] = []
    for name in names:
        amount, left_s = used.get((KINDS[name].counted, holder), (minutes.get(name, 0), 0.0))
        ends = window_end(moment, left_s) if left_s else None
        most = dict(allowed.of(name)).get(holder)
        now.append(Used(name, most, amount, ends, holder == THE_TENANT and name in allowed.defaults))
    return now


def window_end(moment: datetime, left_s: float) -> datetime:
    """The end of a window of which `left_s` are left: a whole second, from which the two clocks stray a little."""
    return (moment + timedelta(seconds=left_s + 0.5)).replace(microsecond=0)


async def usage_by_day(connection: Connection, days: int) -> list[DayUsed]:
    """What the tenant has used on each of the last days, the latest first."""
    rows = await connection.fetch(SQL["by_day"], days)
    return [DayUsed(row["day"].isoformat(), row["counted"], row["amount"]) for row in rows]


async def set_tenant_limits(database: Database, tenant_id: UUID, limits: Mapping[str, int | None]) -> None:
    """Set all limits of a tenant: None is no limit, what is absent has the installation's default. For the operator.

    Raises Invalid, NotFound.
    """
    _check(limits, KINDS)
    others = [name for name in KINDS if name not in limits]
    async with database.system_of(tenant_id) as connection:
        names, values = list(limits), list(limits.values())
        if not await connection.fetchval(SQL["set_tenant_limits"], tenant_id, names, values, others):
            raise NotFound(NO_TENANT)
        scope = operator_principal(tenant_id).scope
        await record_as_operator(connection, scope, "tenant.limited", f"tenant:{tenant_id}", limits)


async def set_key_limits(
    connection: Connection, admin: Principal, key_id: UUID, limits: Mapping[str, int | None]
) -> None:
    """Set all limits of a key; what is None or absent has none but the tenant's. Raises Invalid, NotFound, and Forbidden
    for a key that may do more than its admin.
    """
    _check(limits, KINDS_OF_KEYS)
    key = await get_key(connection, key_id)
    if not admin.may(key.role):
        raise Forbidden(f"A key with the role {key.role} can be limited by the role {key.role} or above.")
    given = {name: most for name, most in limits.items() if most is not None}
    await connection.execute(SQL["drop_key_limits"], key_id)
    await connection.execute(
        SQL["set_key_limits"], key_id, list(given), list(given.values()), admin.scope.principal
    )
    await record(connection, admin.scope, "key.limited", f"key:{key_id}", given)


def _check(limits: Mapping[str, int | None], known: Collection[str]) -> None:
    for name, most in limits.items():
        if name not in known:
            raise Invalid(f"There is no limit {name!r:.50}. Known are: {', '.join(known)}.")
        if most is not None and not 0 <= most <= MOST:
            raise Invalid(f"The limit {name} is 0 to {MOST:,}, or null for none.")


def key_of(scope: Scope) -> UUID | None:
    """The key that acts in a scope, as the record names it; None for a worker, a source or the operator."""
    kind, _, key_id = scope.principal.partition(":")
    try:
        return UUID(key_id) if kind == "key" else None
    except ValueError:
        return None


async def fold_usage(database: Database, most: int = 20_000) -> int:
    """Fold what was counted into one row for each day. Returns how many changes there were."""
    folded = 0
    while True:
        async with database.system() as connection:
            count = int(await connection.fetchval("select fold_usage($1)", most))
        folded += count
        if count < most:
            return folded


async def record_usage(database: Database, counted: Sequence[tuple[UUID, UUID, str, int]]) -> None:
    """Write down what a process has counted by itself: (tenant, holder, what, amount)."""
    by_place: defaultdict[Database, list[tuple[UUID, UUID, str, int]]] = defaultdict(list)
    for each in counted:
        by_place[database.known_place(each[0])].append(each)
    for place, own in by_place.items():
        columns: Any = zip(*own, strict=True)
        async with place.system() as connection:
            await connection.execute("set local synchronous_commit = off")
            await connection.execute("select record_usage($1, $2, $3, $4)", *map(list, columns))
