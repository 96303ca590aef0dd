"""The limits of tenants: whether what is used is kept in order, and whether the store that counts answers."""

from collections.abc import AsyncIterator
from typing import Any

from knowlog.cli.doctor.database import open_database
from knowlog.cli.doctor.model import Finding, fail, ok, warn
from knowlog.kernel.errors import Unavailable
from knowlog.kernel.wording import counted
from knowlog.settings import Settings

_PART = "limits"
_MANY = 100_000


async def check_limits(settings: Settings) -> AsyncIterator[Finding]:
    """Ask Redis where it counts, and look at what is counted."""
    if settings.limits.store == "redis":
        yield await _redis(settings)
    connection = await open_database(settings)
    if connection is None:
        return
    try:
        if await connection.fetchval("select to_regprocedure('knowlog.usage_health()')"):
            await connection.execute("set role knowlog_system")
            yield judge(await connection.fetchrow("select * from knowlog.usage_health()"))
    finally:
        await connection.close()


def judge(row: Any) -> Finding:
    """Say what the state of the counting means."""
    found = f"{counted(row['full_up'], 'tenant')} with no room left, {counted(row['unfolded'], 'change')} to be folded"
    if row["unfolded"] > _MANY:
        return warn(
            _PART,
            found,
            "Start a `knowlog worker`, which folds them: limits are checked more slowly meanwhile.",
        )
    if row["full_up"]:
        return warn(_PART, found, "`knowlog tenants limits TENANT` shows which, and --set gives more.")
    return ok(_PART, found)


async def _redis(settings: Settings) -> Finding:
    if settings.limits.redis_url is None:
        return fail(
            _PART, "KNOWLOG_LIMITS_STORE is redis without an address", "Set KNOWLOG_LIMITS_REDIS_URL."
        )
    from knowlog.tenants.adapters.redis import RedisMeter

    meter = RedisMeter(settings.limits.redis_url.get_secret_value())
    try:
        return ok(_PART, f"Redis {await meter.check()} counts requests")
    except Unavailable as error:
        return warn(
            _PART, f"{error.detail} PostgreSQL counts.", "Start Redis, or correct KNOWLOG_LIMITS_REDIS_URL."
        )
    finally:
        await meter.close()
