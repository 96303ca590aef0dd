"""How workers get at work: claims by lease, announcements by a broker, heartbeats."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from knowlog.bus.catalogue import QUEUES
from knowlog.bus.model import Event
from knowlog.database import Connection, Database

_NOBODY = UUID(int=0)
_STEPS = 50
"""So often one claim goes on behind tenants of which nothing can be done now."""


@dataclass(slots=True)
class Turn:
    """Where in the circle of tenants the next claim begins, so that each has its turn."""

    after: UUID = field(default=_NOBODY)

    def moved(self, events: Sequence[Event]) -> None:
        """Begin behind the tenant that was served last, as the circle goes from where this turn began."""
        if events:
            self.after = max((e.tenant_id for e in events), key=lambda tenant: _behind(self.after, tenant))


async def claim(
    database: Database, worker: str, lease_s: float, most: int, types: Collection[str] = tuple(QUEUES), *,
    held: Collection[UUID] = (), skip: Collection[UUID] = (), turn: Turn | None = None,
) -> list[Event]:  # fmt: skip
    """Take up to `most` events of these types, each the oldest unfinished one of its subject, for `lease_s` seconds.

    Tenants share by weight; those in `skip` get nothing this time. `held` are the events that this worker is at work
    on: they are not taken over from itself.
    """
    turn = turn or Turn()
    async with database.system() as connection:

        async def take() -> list[Event]:
            rows = await connection.fetch(
                "select * from claim_events($1, $2, $3, $4, $5, $6, $7)",
                worker, timedelta(seconds=lease_s), most, list(types), list(held), list(skip), turn.after,
            )  # fmt: skip
            return _events(rows)

        return await _around(connection, turn, most, skip, take)


async def _around(
    connection: Connection, turn: Turn, most: int, skip: Collection[UUID],
    take: Callable[[], Awaitable[list[Event]]],
) -> list[Event]:  # fmt: skip
    """Take what can be done now, once around the tenants: passing by those that have nothing of it, `most` at a time."""
    start = turn.after
    for _ in range(_STEPS):
        if events := await take():
            turn.moved(events)
            return events
        passed = await connection.fetchval("select last_passed_by($1, $2, $3)", turn.after, most, list(skip))
        if passed is None:
            break
        around = turn.after != start and _behind(start, passed) <= _behind(start, turn.after)
        turn.after = passed
        if around:
            break
    return []


def _behind(start: UUID, tenant: UUID) -> tuple[bool, UUID]:
    """Where a tenant comes in the circle that begins behind `start`."""
    return tenant <= start, tenant


async def claim_orphans(
    database: Database,
    worker: str,
    lease_s: float,
    most: int,
    types: Collection[str],
    *,
    held: Collection[UUID],
) -> list[Event]:
    """Take up to `most` events whose lease has run out. The same as `claim` does besides."""
    async with database.system() as connection:
        rows = await connection.fetch(
            "select * from claim_orphans($1, $2, $3, $4, $5)",
            worker, timedelta(seconds=lease_s), most, list(types), list(held),
        )  # fmt: skip
    return _events(rows)


async def claim_announced(
    database: Database, worker: str, lease_s: float, announced: Sequence[tuple[UUID, UUID]], *,
    held: Collection[UUID] = (),
) -> list[Event]:  # fmt: skip
    """Take those of the announced (tenant, event) pairs that still want doing. The others are done, or another's."""
    if not announced:
        return []
    tenants, ids = [tenant for tenant, _ in announced], [event for _, event in announced]
    async with database.system() as connection:
        rows = await connection.fetch(
            "select * from claim_announced($1, $2, $3, $4, $5)",
            worker, timedelta(seconds=lease_s), tenants, ids, list(held),
        )  # fmt: skip
    return _events(rows)


async def announce(
    connection: Connection, most: int, types: Collection[str], *, window: int, quiet_s: float, turn: Turn
) -> list[Event]:
    """Choose up to `most` events that a broker is to be told of, and remember that it was, in a system transaction of
    the caller, who tells the broker before it commits.

    An event that nobody has taken up `quiet_s` seconds later is chosen again. At most `window` wait at a time.
    """

    async def take() -> list[Event]:
        rows = await connection.fetch(
            "select * from announce_events($1, $2, $3, $4, $5)",
            most, list(types), window, timedelta(seconds=quiet_s), turn.after,
        )  # fmt: skip
        return _events(rows)

    return await _around(connection, turn, min(most, max(1, window // 4)), (), take)


async def keep_leases(database: Database, worker: str, lease_s: float, events: Collection[UUID]) -> set[UUID]:
    """Prolong the leases of events that `worker` holds. Returns those it has lost: taken over, cancelled or deleted."""
    async with database.system() as connection:
        rows = await connection.fetch(
            "select keep_leases($1, $2, $3) as lost", worker, timedelta(seconds=lease_s), list(events)
        )
    return {row["lost"] for row in rows}


async def working(database: Database) -> list[str]:
    """The names of all workers that hold work at this moment."""
    async with database.system() as connection:
        rows = await connection.fetch("select working() as name")
    return [row["name"] for row in rows]


async def end_leases(database: Database, workers: Sequence[str]) -> int:
    """End the leases of workers that are known to be dead. Returns how many events are free again."""
    async with database.system() as connection:
        ended = await connection.fetchval("select end_leases($1)", list(workers))
    return int(ended)


def _events(rows: Sequence[Any]) -> list[Event]:
    return [Event(**row) for row in rows]
