"""How much work was done for a tenant in the last hour, minute by minute."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from knowlog.database import Connection, load_queries
from knowlog.kernel import now

_SQL = load_queries("knowlog.bus")
_AS_OLD = timedelta(days=1)
"""Jobs that were asked for longer ago are not counted: it keeps the look short where millions are remembered."""


@dataclass(frozen=True, slots=True)
class WorkOfMinute:
    """Jobs that ended in the minute that begins at `at`, and how long their last attempt took."""

    at: datetime
    done: int
    failed: int
    p50_ms: float
    p95_ms: float


async def work_by_minute(connection: Connection) -> list[WorkOfMinute]:
    """The minutes of the last hour in which jobs of the tenant ended, oldest first. Jobs count that were asked for within
    a day.
    """
    rows = await connection.fetch(_SQL["work_by_minute"], _first_id(now() - _AS_OLD))
    return [WorkOfMinute(**row) for row in rows]


def _first_id(moment: datetime) -> UUID:
    """The lowest identifier that was made at a moment: they begin with their time."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
