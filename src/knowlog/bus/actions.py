"""Events are written with the change they report; workers take them by lease."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from knowlog.bus.catalogue import QUEUES, validated
from knowlog.bus.model import Event, Job, JobState
from knowlog.database import Connection, load_queries
from knowlog.kernel import new_id, now
from knowlog.kernel.errors import Conflict, NotFound

_SQL = load_queries("knowlog.bus")


class LeaseLost(Conflict):
    """Another worker has taken the work over; whatever this one was about to write must not be written."""


async def append_events(
    connection: Connection, kind: str, items: Sequence[tuple[UUID, Mapping[str, Any]]]
) -> list[UUID]:
    """Write one event of type `kind` for each (subject, data), in the caller's transaction. Returns their ids."""
    if not items:
        return []
    ids = [new_id() for _ in items]
    state = "waiting" if kind in QUEUES else "none"
    subjects, data = [subject for subject, _ in items], [validated(kind, payload) for _, payload in items]
    await connection.execute(_SQL["append"], ids, kind, state, subjects, data)
    return ids


async def complete(connection: Connection, worker: str, events: Sequence[Event]) -> None:
    """Mark events as handled, in the transaction that wrote their effect. Raises LeaseLost if one is no longer ours."""
    held = [event.event_id for event in events], worker, [event.attempts for event in events]
    if len(await connection.fetch(_SQL["complete"], *held)) != len(events):
        raise LeaseLost("The lease on this work has passed to another worker.")


async def fail(
    connection: Connection, worker: str, event: Event, reason: str, retry_in_s: float | None
) -> None:
    """Give an event up for good (`retry_in_s` None), or until later. Raises LeaseLost."""
    due_at = None if retry_in_s is None else now() + timedelta(seconds=retry_in_s)
    if not await connection.fetchval(_SQL["fail"], event.event_id, worker, event.attempts, due_at, reason):
        raise LeaseLost("The lease on this work has passed to another worker.")


async def release(connection: Connection, worker: str, event: Event) -> None:
    """Hand an event back without counting the attempt. Does nothing when it was taken over."""
    await connection.execute(_SQL["release"], event.event_id, worker, event.attempts)


async def retry(connection: Connection, job_id: UUID) -> Job:
    """Put a dead job back into the queue. Raises NotFound, or Conflict when it neither failed nor was cancelled."""
    job = await get_job(connection, job_id)
    if not await connection.fetchval(_SQL["retry"], job_id):
        raise Conflict(f"Only a failed or cancelled job can be retried; this one is {job.state}.")
    await connection.execute("select pg_notify('knowlog_work', '')")
    return await get_job(connection, job_id)


async def cancel(connection: Connection, job_id: UUID, reason: str) -> Job:
    """Take a job out of the queue. One that runs is stopped at its worker's next heartbeat, and cannot commit any more.

    Raises NotFound, or Conflict when it has ended already.
    """
    job = await get_job(connection, job_id)
    if not await connection.fetchval(_SQL["cancel"], job_id, reason):
        raise Conflict(f"This job has ended already; it is {job.state}.")
    return await get_job(connection, job_id)


async def get_job(connection: Connection, job_id: UUID) -> Job:
    """Return one job. Raises NotFound."""
    row = await connection.fetchrow(_SQL["get_job"], job_id)
    if row is None:
        raise NotFound("There is no such job.")
    return Job(**row)


async def latest_job_of(connection: Connection, subject: UUID) -> UUID | None:
    """The id of the newest job about a subject, if there is one."""
    found: UUID | None = await connection.fetchval(_SQL["latest_job_of"], subject)
    return found


async def list_jobs(
    connection: Connection,
    state: JobState | None = None,
    before: UUID | None = None,
    most: int = 50,
    within: Collection[UUID] | None = None,
) -> list[Job]:
    """List jobs, newest first, from behind the job `before`; with `within`, about documents of these collections."""
    collections = None if within is None else list(within)
    rows = await connection.fetch(_SQL["list_jobs"], state, before, most, collections)
    return [Job(**row) for row in rows]


async def notify_progress(connection: Connection, tenant_id: UUID, subject: UUID) -> None:
    """Tell watchers, when the transaction commits, that something about `subject` changed."""
    await connection.execute(_SQL["notify"], f"{tenant_id}:{subject}")
