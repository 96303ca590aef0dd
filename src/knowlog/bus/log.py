"""The log: what has happened in a tenant, to be listed and followed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from knowlog.bus.catalogue import CATALOGUE
from knowlog.bus.envelope import Envelope, envelope_of
from knowlog.bus.model import Event, Order
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.kernel.errors import Invalid, NotFound

_SQL = load_queries("knowlog.bus", "log.sql")
_SEQUENCE = re.compile(r"[0-9a-f]{16}[0-7][0-9a-f]{15}")
_LAST = "f" * 16 + "7" + "f" * 15
_FIRST = "0" * 32
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events one wants: of these types (none named: all), about this subject, behind and before a sequence."""

    types: Sequence[str] = ()
    subject: UUID | None = None
    since: str | None = None
    before: str | None = None


async def list_events(
    connection: Connection, scope: Scope, wanted: Wanted, order: Order, most: int
) -> list[Envelope]:
    """List events that the scope may see.

    Newest first shows all there are. Oldest first stops before the oldest transaction that still runs, so that whoever
    goes on behind the last one misses none, however late another transaction commits. Types that only a newer process
    knows are left to that. Raises Invalid.
    """
    for name in wanted.types:
        if name not in CATALOGUE:
            raise Invalid(f"There is no event type {name!r:.100}. Known are: {', '.join(CATALOGUE)}.")
    rows = await connection.fetch(
        _SQL[order], *_place(wanted.before or _LAST), list(wanted.types or CATALOGUE), wanted.subject, _within(scope),
        *_place(wanted.since or _FIRST), most,
    )  # fmt: skip
    return [_envelope(row) for row in rows]


async def get_event(connection: Connection, scope: Scope, event_id: UUID) -> Envelope:
    """Return one event that the scope may see. Raises NotFound."""
    row = await connection.fetchrow(_SQL["one"], event_id, _within(scope), list(CATALOGUE))
    if row is None:
        raise NotFound("There is no such event.")
    return _envelope(row)


async def present(connection: Connection) -> str:
    """The sequence at which the log is now: behind it lies what commits from now on."""
    return f"{int(await connection.fetchval(_SQL['present'])):016x}" + "0" * 16


async def forget_events(database: Database, keep_days: int) -> int:
    """Delete events that were recorded, done or cancelled more than `keep_days` days ago; 0 keeps all.

    What waits, runs or has failed stays. Returns how many went.
    """
    forgotten = 0
    while keep_days:
        async with database.system() as connection:
            went = await connection.fetchval(
                "select forget_events($1, $2)", timedelta(days=keep_days), _BATCH
            )
        forgotten += int(went)
        if went < _BATCH:
            break
    return forgotten


def _envelope(row: Any) -> Envelope:
    values = dict(row)
    sequence = f"{int(values.pop('xid')):016x}{values.pop('position'):016x}"
    return replace(envelope_of(Event(**values, attempts=0)), sequence=sequence)


def _place(sequence: str) -> tuple[str, int]:
    """Transaction and position of a sequence. Raises Invalid for one that no event has."""
    if not _SEQUENCE.fullmatch(sequence):
        raise Invalid("A sequence is 32 hexadecimal digits. Send the `sequence` of an event as it is.")
    return str(int(sequence[:16], 16)), int(sequence[16:], 16)


def _within(scope: Scope) -> list[str] | None:
    return None if scope.collections is None else [str(each) for each in scope.collections]
