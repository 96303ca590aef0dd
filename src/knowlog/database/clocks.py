"""How far this process's clock is from the database's, by which leases and waits go."""

from collections.abc import Callable
from datetime import datetime

from knowlog.database.pool import Connection
from knowlog.kernel import now

Clock = Callable[[], datetime]
WORTH_TELLING_S = 5.0
"""Clocks that differ by less are taken for right."""


async def seconds_ahead(connection: Connection, clock: Clock = now) -> float:
    """By how many seconds `clock` is ahead of the database's; below 0 it is behind, and 0 within the time of asking."""
    before = clock()
    there: datetime = await connection.fetchval("select clock_timestamp()")
    return beyond(before, there, clock())


def beyond(before: datetime, there: datetime, after: datetime) -> float:
    """By how many seconds a clock is ahead of another, which said `there` between two looks at the first."""
    return min(0.0, (after - there).total_seconds()) + max(0.0, (before - there).total_seconds())
