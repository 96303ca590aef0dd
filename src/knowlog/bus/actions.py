"""Events are written with the change they report; workers take them by lease."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from knowlog.bus.catalogue import CATALOGUE, QUEUES, validated
from knowlog.bus.model import Event, Job, Order, QueueDepth, WantedJobs
from knowlog.database import Connection, Database, load_queries
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict, Invalid, NotFound

_SQL = load_queries("knowlog.bus")
UNDER_WAY = frozenset({"waiting", "running"})
"""The states of a job that has not ended."""
NO_JOB = "There is no such job. `GET /v1/jobs` lists yours, as `knowlog jobs list` does."


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


async def done_by(connection: Connection, worker: str, events: Sequence[UUID]) -> set[UUID]:
    """Those of the events that this worker has completed."""
    rows = await connection.fetch(_SQL["done_by"], list(events), worker)
    return {row["event_id"] for row in rows}


async def require_ours(connection: Connection, worker: str, event: Event) -> None:
    """Stand before an effect, in its transaction: what was cancelled or taken over has none. Raises LeaseLost."""
    if not await connection.fetchval(_SQL["still_ours"], event.event_id, worker, event.attempts):
        raise LeaseLost("This work was cancelled, or has passed to another worker.")


async def fail(
    connection: Connection, worker: str, event: Event, reason: str, retry_in_s: float | None
) -> None:
    """Give an event up for good (`retry_in_s` None), or until later. Raises LeaseLost."""
    wait = None if retry_in_s is None else timedelta(seconds=retry_in_s)
    if not await connection.fetchval(_SQL["fail"], event.event_id, worker, event.attempts, wait, reason):
        raise LeaseLost("The lease on this work has passed to another worker.")


async def release(connection: Connection, worker: str, event: Event) -> None:
    """Hand an event back without counting the attempt. Does nothing when it was taken over."""
    await connection.execute(_SQL["release"], event.event_id, worker, event.attempts)


async def retry(connection: Connection, job_id: UUID) -> Job:
    """Put a dead job back into the queue. Raises NotFound, or Conflict when it neither failed nor was cancelled."""
    retried = await retry_all(connection, [job_id])
    job = await get_job(connection, job_id)
    if not retried:
        raise Conflict(f"Only a failed or cancelled job can be retried; this one is {job.state}.")
    return job


async def retry_all(connection: Connection, jobs: Sequence[UUID]) -> list[UUID]:
    """Put those of the jobs that failed or were cancelled back into the queue. Returns which."""
    return [row["event_id"] for row in await connection.fetch(_SQL["retry"], list(jobs))]


async def cancel(connection: Connection, job_id: UUID, reason: str) -> Job:
    """Take a job out of the queue. One that runs is stopped at its worker's next heartbeat, and cannot commit any more.

    Raises NotFound, or Conflict when it has ended already or may not be cancelled.
    """
    job = await get_job(connection, job_id)
    if job.kind in CATALOGUE and not CATALOGUE[job.kind].cancellable:
        raise Conflict("This job removes the bytes of what was deleted already, and cannot be cancelled.")
    if not await connection.fetchval(_SQL["cancel"], job_id, reason):
        job = await get_job(connection, job_id)
        raise Conflict(f"This job has ended already; it is {job.state}.")
    return await get_job(connection, job_id)


async def cancel_work(connection: Connection, job_id: UUID | None, what: str, state: str, by: str) -> None:
    """Cancel the job of a thing ("run") whose state is the job's. Raises Conflict for what has ended."""
    if state not in UNDER_WAY or job_id is None:
        raise Conflict(f"The {what} is {state}: there is nothing to cancel.")
    await cancel(connection, job_id, f"Cancelled by {by}.")


def require_ended(what: str, state: str) -> None:
    """Raise Conflict for a thing ("run") whose job waits or is under way."""
    if state in UNDER_WAY:
        raise Conflict(f"The {what} is {state}: cancel it first.")


async def get_job(connection: Connection, job_id: UUID) -> Job:
    """Return one job. Raises NotFound."""
    row = await connection.fetchrow(_SQL["get_job"], job_id)
    if row is None:
        raise NotFound(NO_JOB)
    return _job(row)


async def latest_job_of(connection: Connection, subject: UUID) -> UUID | None:
    """The id of the newest job about a subject, if there is one."""
    found: UUID | None = await connection.fetchval(_SQL["latest_job_of"], subject)
    return found


async def list_jobs(
    connection: Connection,
    wanted: WantedJobs = WantedJobs(),  # noqa: B008 - immutable
    behind: UUID | None = None,
    most: int = 50,
    order: Order = "newest",
) -> list[Job]:
    """List jobs in the order of their creation, from behind the job `behind`. Raises Invalid for an unknown kind."""
    if wanted.kind is not None and wanted.kind not in QUEUES:
        raise Invalid(f"There are no jobs of the kind {wanted.kind!r:.100}. Known are: {', '.join(QUEUES)}.")
    rows = await connection.fetch(
        _SQL["list_jobs" if order == "newest" else "list_jobs_oldest"], wanted.state, behind, most,
        None if wanted.within is None else list(wanted.within), wanted.kind, wanted.subject,
        list(wanted.hidden),
    )  # fmt: skip
    return [_job(row) for row in rows]


async def queue_depths(database: Database) -> list[QueueDepth]:
    """How much work each tenant has in each queue; those without any are left out, and those in silos that do not answer.
    For the operator.
    """
    rows: list[Any] = []
    for place in await database.reachable():
        async with place.system() as connection:
            rows += await connection.fetch("select * from queue_overview()")
    found: dict[tuple[UUID, str], QueueDepth] = {}
    for row in rows:
        values = dict(row)
        queue = QUEUES.get(values.pop("type"), "unknown")
        own = QueueDepth(queue=queue, **values)
        before = found.get((own.tenant_id, queue))
        found[own.tenant_id, queue] = own if before is None else _joined(before, own)
    return list(found.values())


async def work_is_unfinished(database: Database) -> bool:
    """Whether anything waits or runs, of any tenant. Cheap."""
    async with database.system() as connection:
        return bool(await connection.fetchval("select work_is_unfinished()"))


async def notify_progress(connection: Connection, tenant_id: UUID, subject: UUID) -> None:
    """Tell watchers, when the transaction commits, that something about `subject` changed. It is kept nowhere."""
    await connection.execute(_SQL["notify"], [f"{tenant_id}:{subject}"])


async def notify_counts(
    connection: Connection, tenant_id: UUID, counts: Mapping[UUID, tuple[int, int]]
) -> None:
    """Tell watchers of each subject how many of its chunks have their vector, of how many; as `notify_progress` does."""
    said = [f"{tenant_id}:{subject} {done}/{all_}" for subject, (done, all_) in counts.items()]
    await connection.execute(_SQL["notify"], said)


def _job(row: Any) -> Job:
    values = dict(row)
    return Job(queue=QUEUES.get(values["kind"], "unknown"), **values)


def _joined(one: QueueDepth, other: QueueDepth) -> QueueDepth:
    """Two types of work that stand in the same queue."""
    oldest = [each.oldest_s for each in (one, other) if each.oldest_s is not None]
    return replace(
        one, waiting=one.waiting + other.waiting, running=one.running + other.running,
        failed=one.failed + other.failed, oldest_s=max(oldest, default=None),
    )  # fmt: skip
