"""Schedules: an event is written again and again, each time that is due once, by whichever worker is first.

There is no process of its own for this. Whoever fires a schedule locks its row, writes an event whose id follows from the
schedule and the time that was due, and moves the row on, in one transaction and by the database's clock. So neither a
second worker nor a crash fires twice; and times that went by while nobody was there are fired once, not one by one.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from knowlog.bus.catalogue import validated
from knowlog.bus.rounds import one_by_one
from knowlog.bus.timetable import Timetable
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.kernel import id_at, new_id
from knowlog.kernel.errors import Conflict, Invalid, NotFound

SCHEDULED = ("refresh.requested", "retention.requested")
"""What can be asked for by a schedule."""
MOST_SCHEDULES = 100
_SQL = load_queries("knowlog.bus", "schedules.sql")
_BATCH = 50


@dataclass(frozen=True, slots=True)
class Schedule:
    """Work on a collection that is asked for again and again. `data` are those of the event that it writes, but for
    the collection; `next_at` is when it is due, `last_at` the last time that was.
    """

    schedule_id: UUID
    name: str
    collection_id: UUID
    type: str
    data: dict[str, Any]
    cron: str | None
    every_s: int | None
    timezone: str
    enabled: bool
    next_at: datetime
    last_at: datetime | None
    created_at: datetime
    created_by: str

    @property
    def timetable(self) -> Timetable:
        """When it is due."""
        return Timetable(self.cron, self.every_s, self.timezone)


async def create_schedule(
    connection: Connection, scope: Scope, name: str, collection_id: UUID, type: str,  # noqa: A002
    data: Mapping[str, Any], timetable: Timetable,
) -> Schedule:  # fmt: skip
    """Make a schedule. Raises Invalid, or Conflict when the name is taken or there are too many."""
    if type not in SCHEDULED:
        raise Invalid(f"{type!r:.100} cannot be scheduled. Choose one of: {', '.join(SCHEDULED)}.")
    if await connection.fetchval(_SQL["count"]) >= MOST_SCHEDULES:
        raise Conflict(f"There are {MOST_SCHEDULES} schedules, the most there may be. Delete one first.")
    timetable.check()
    validated(type, {**data, "collection_id": collection_id})
    next_at = timetable.next_after(await connection.fetchval(_SQL["now"]))
    made = await connection.fetchval(
        _SQL["insert"], new_id(), name, collection_id, type, dict(data), timetable.cron, timetable.every_s,
        timetable.timezone, next_at, scope.principal,
    )  # fmt: skip
    if not made:
        raise Conflict(f"There is a schedule {name!r} already. Choose another name, or delete that one.")
    await connection.execute(_SQL["wake"])
    return await get_schedule(connection, name, scope.collections)


async def list_schedules(connection: Connection, within: Collection[UUID] | None) -> list[Schedule]:
    """List the schedules of the collections `within` (None: all), by name."""
    rows = await connection.fetch(_SQL["list"], None if within is None else list(within))
    return [Schedule(**row) for row in rows]


async def get_schedule(connection: Connection, name: str, within: Collection[UUID] | None) -> Schedule:
    """Return a schedule by name or id, locked until the transaction ends. Raises NotFound."""
    row = await connection.fetchrow(_SQL["find"], name, None if within is None else list(within))
    if row is None:
        raise NotFound(
            "There is no such schedule. `GET /v1/schedules` lists yours, as `knowlog schedules list` does."
        )
    return Schedule(**row)


async def enable_schedule(
    connection: Connection, name: str, within: Collection[UUID] | None, enabled: bool
) -> Schedule:
    """Switch a schedule on or off; from now on, not for what was missed. Raises NotFound."""
    schedule = await get_schedule(connection, name, within)
    next_at = schedule.timetable.next_after(await connection.fetchval(_SQL["now"]))
    await connection.execute(_SQL["enable"], schedule.schedule_id, enabled, next_at)
    await connection.execute(_SQL["wake"])
    return await get_schedule(connection, str(schedule.schedule_id), within)


async def delete_schedule(connection: Connection, name: str, within: Collection[UUID] | None) -> None:
    """End a schedule. What it asked for before goes on. Raises NotFound."""
    schedule = await get_schedule(connection, name, within)
    await connection.execute(_SQL["delete"], schedule.schedule_id)


async def run_schedule(connection: Connection, name: str, within: Collection[UUID] | None) -> UUID:
    """Ask at once for what a schedule asks for, whether it is enabled or not. Returns the job.

    Raises NotFound, or Conflict when the last one is not done yet.
    """
    schedule = await get_schedule(connection, name, within)
    job_id = await _fire(connection, schedule, new_id())
    if job_id is None:
        raise Conflict(
            f"What {schedule.name!r} asked for last is not done yet. `knowlog jobs list` shows it."
        )
    return job_id


async def fire_due(database: Database) -> int:
    """Fire what is due, of all tenants. Returns how many events were written. Any number of workers may call this."""
    async with database.system() as connection:
        due = await connection.fetch("select * from due_schedules($1)", _BATCH)

    async def fire_one(row: Any) -> bool:
        async with database.transaction(Scope(row["tenant_id"], "schedule")) as connection:
            return await _fire_one(connection, row["schedule_id"])

    return sum(await one_by_one(due, fire_one))


async def next_due_s(database: Database) -> float | None:
    """Seconds until a schedule is due, of any tenant; 0 or less when one is, None when there is none."""
    async with database.system() as connection:
        found: float | None = await connection.fetchval("select next_schedule_s()")
    return found


async def _fire_one(connection: Connection, schedule_id: UUID) -> bool:
    row = await connection.fetchrow(_SQL["take_due"], schedule_id)
    if row is None:
        return False
    schedule = Schedule(**row)
    written = await _fire(connection, schedule, id_at(schedule.next_at, schedule_id))
    now = await connection.fetchval(_SQL["now"])
    try:
        next_at = schedule.timetable.next_after(now, schedule.next_at)
    except Invalid:  # it was due for the last time
        await connection.execute(_SQL["enable"], schedule_id, False, schedule.next_at)
    else:
        await connection.execute(_SQL["move"], schedule_id, next_at, schedule.next_at)
    return written is not None


async def _fire(connection: Connection, schedule: Schedule, event_id: UUID) -> UUID | None:
    """Write the event; None when it was written before, or what was asked last is not done yet."""
    about = {"collection_id": schedule.collection_id, "schedule_id": schedule.schedule_id}
    data = validated(schedule.type, {**schedule.data, **about})
    written: UUID | None = await connection.fetchval(
        _SQL["fire"], event_id, schedule.type, schedule.collection_id, data, str(schedule.schedule_id)
    )
    return written
