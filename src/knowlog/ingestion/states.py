"""How far a document is on its way into the index, and what becomes of an attempt that failed."""

import contextlib
from collections.abc import Sequence
from datetime import timedelta

from knowlog.bus import Event, LeaseLost, WorkerSettings, append_events, fail, put_off
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.kernel import now
from knowlog.kernel.errors import LimitReached, foreseen

_SQL = load_queries("knowlog.ingestion")

_CARRIED = {"collection_id", "version"}
"""What `document.failed` repeats of the event that it answers."""


async def set_states(connection: Connection, state: str, events: Sequence[Event]) -> None:
    """Note how far documents are. May be lost in a crash, so it need not wait for the disk."""
    await connection.execute("set local synchronous_commit = off")
    await connection.execute(
        _SQL["set_states"], [e.subject for e in events], [e.data["version"] for e in events], state,
        [e.attempts for e in events],
    )  # fmt: skip


async def give_up(
    database: Database, settings: WorkerSettings, worker: str, scope: Scope, event: Event, error: Exception
) -> None:
    """Record that an attempt failed: for good if trying again cannot help, else until later. One that a limit of the
    tenant has stopped waits for the limit's end, and does not count.
    """
    if isinstance(error, LimitReached):
        with contextlib.suppress(LeaseLost):
            await _put_off(database, worker, scope, event, error)
        return
    known = foreseen(error)
    final = known.permanent or event.attempts >= settings.max_attempts
    delay = None if final else settings.wait_s(event.attempts)
    try:
        async with database.transaction(scope) as connection:
            await connection.execute(
                _SQL["lock_documents"], [event.subject]
            )  # before its event, as everywhere
            await fail(connection, worker, event, known.detail, delay)
            state = "failed" if final else "received"
            await connection.execute(
                _SQL["fail_document"],
                event.subject,
                event.data["version"],
                state,
                known.detail,
                event.attempts,
            )
            if final:
                said = {name: event.data[name] for name in _CARRIED & event.data.keys()}
                data = {**said, "reason": known.detail}
                await append_events(connection, "document.failed", [(event.subject, data)])
    except LeaseLost:
        return


async def _put_off(database: Database, worker: str, scope: Scope, event: Event, error: LimitReached) -> None:
    until = now() + timedelta(seconds=error.extra.get("retry_after_s", 60))
    number = event.attempts - 1
    async with database.transaction(scope) as connection:
        await connection.execute(_SQL["lock_documents"], [event.subject])
        await put_off(connection, worker, event, until)
        told = (event.subject, event.data["version"], "received", error.detail, number)
        await connection.execute(_SQL["fail_document"], *told)
