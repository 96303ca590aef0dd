"""The log: what has happened in a tenant, to be listed and followed.

Positions are given before a transaction commits, so that of two events the later may be seen first. Whoever goes on
behind an event therefore reads no further than the log is whole; `whole_up_to` says how far that is.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from knowlog.bus.catalogue import CATALOGUE
from knowlog.bus.cursors import BEGINNING, seal, unseal
from knowlog.bus.envelope import Envelope, envelope_of
from knowlog.bus.model import Event, Order
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.kernel.errors import Invalid, NotFound, Unavailable

_SQL = load_queries("knowlog.bus", "log.sql")
_LAST = 2**63 - 1
_BATCH = 1000
_PATIENCE_S = 0.25
_PATIENCE_TO_BEGIN_S = 5.0
_LONGEST_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events one wants: of these types (none named: all), about this subject, behind and before a cursor. Types in
    `hidden` are left out.
    """

    types: Sequence[str] = ()
    subject: UUID | None = None
    since: str | None = None
    before: str | None = None
    hidden: Collection[str] = ()


async def list_events(
    connection: Connection, scope: Scope, wanted: Wanted, order: Order, most: int
) -> list[Envelope]:
    """List events that the scope may see.

    Newest first shows all there are. Oldest first stops where the log is not whole yet, because one of the tenant's own
    transactions is about to commit, so that whoever goes on behind the last one misses none. Types that only a newer
    process knows are left to that. Raises Invalid.
    """
    for name in wanted.types:
        if name not in CATALOGUE:
            raise Invalid(f"There is no event type {name!r:.100}. Known are: {', '.join(CATALOGUE)}.")
    key = await connection.fetchval(_SQL["key"])
    behind = unseal(key, wanted.since or BEGINNING)
    before = unseal(key, wanted.before) if wanted.before else _LAST
    if order == "oldest":
        patience_s = _PATIENCE_S if behind else _PATIENCE_TO_BEGIN_S  # a log from its beginning is not empty
        before = min(before, await whole_up_to(connection, behind, patience_s) + 1)
    types = [name for name in wanted.types or CATALOGUE if name not in wanted.hidden]
    rows = await connection.fetch(_SQL[order], before, types, wanted.subject, _within(scope), behind, most)
    return [_envelope(row, key) for row in rows]


async def get_event(
    connection: Connection, scope: Scope, event_id: UUID, hidden: Collection[str] = ()
) -> Envelope:
    """Return one event that the scope may see, and that is of no `hidden` type. Raises NotFound."""
    types = [name for name in CATALOGUE if name not in hidden]
    row = await connection.fetchrow(_SQL["one"], event_id, _within(scope), types)
    if row is None:
        raise NotFound("There is no such event. `GET /v1/events` lists them, as `knowlog events list` does.")
    return _envelope(row, await connection.fetchval(_SQL["key"]))


async def present(connection: Connection) -> str:
    """The cursor at which the log is now: behind it lies what commits from now on. Raises Unavailable."""
    position = await present_position(connection)
    return seal(await connection.fetchval(_SQL["key"]), position)


async def present_position(connection: Connection) -> int:
    """The position at which the log is now. Raises Unavailable when a writer takes long to commit."""
    position = await whole_up_to(connection, -1, _PATIENCE_TO_BEGIN_S)
    if position < 0:
        raise Unavailable("Events are just being written and take long. Try again in a moment.")
    return position


async def whole_up_to(connection: Connection, behind: int, patience_s: float = _PATIENCE_S) -> int:
    """The position up to which nothing is missing from the log any more, once that lies further than `behind`.

    Waits for the transactions that have appended up to there, and for no others, at most `patience_s`; returns `behind`
    when one goes on for longer, or nothing is new. The transaction must be READ COMMITTED.
    """
    end = int(await connection.fetchval(_SQL["end"]))
    if end <= behind:
        return behind
    until, pause_s = monotonic() + patience_s, 0.001
    writers = await _writers(connection)
    while writers and monotonic() < until:
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        writers &= await _writers(connection)
    return behind if writers else end


async def _writers(connection: Connection) -> set[str]:
    return {row[0] for row in await connection.fetch(_SQL["writers"])}


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


def _envelope(row: Any, key: bytes) -> Envelope:
    values = dict(row)
    cursor = seal(key, values.pop("position"))
    return replace(envelope_of(Event(**values, attempts=0)), cursor=cursor)


def _within(scope: Scope) -> list[str] | None:
    return None if scope.collections is None else [str(each) for each in scope.collections]
