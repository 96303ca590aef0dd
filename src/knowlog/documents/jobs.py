"""Jobs are cancelled and tried again together with the documents that they are about.

Documents are locked before events, as workers do when they write: whoever is first wins whole. A cancelled job cannot
commit any more, and a job that has committed cannot be cancelled.
"""

from collections.abc import Sequence
from uuid import UUID

from knowlog.bus import Job, WantedJobs, append_events, cancel, get_job, list_jobs, retry, retry_all
from knowlog.database import Connection, load_queries
from knowlog.kernel import now

_SQL = load_queries("knowlog.documents", "jobs.sql")


async def cancel_job(connection: Connection, job_id: UUID, by: str) -> Job:
    """Cancel a job for `by`. A document that it was to make findable has failed then, in words that name `by`; one
    that answers already goes on. Raises NotFound, or Conflict when the job has ended or may not be cancelled.
    """
    reason = f"Cancelled by {by}, {now():%Y-%m-%d %H:%M} UTC."
    await connection.execute(_SQL["lock_documents"], [job_id])
    job = await cancel(connection, job_id, reason)
    row = await connection.fetchrow(_SQL["stop_document"], job_id, reason)
    if row is not None and row["state"] == "failed":
        data = {"collection_id": row["collection_id"], "version": row["latest"], "reason": reason}
        await append_events(connection, "document.failed", [(row["document_id"], data)])
    return job


async def retry_job(connection: Connection, job_id: UUID) -> Job:
    """Put a failed or cancelled job back, and its document with it. Raises NotFound or Conflict."""
    await get_job(connection, job_id)
    await connection.execute(_SQL["lock_documents"], [job_id])
    job = await retry(connection, job_id)
    await connection.execute(_SQL["restart_documents"], [job_id])
    return job


async def retry_dead_jobs(connection: Connection, wanted: WantedJobs, most: int) -> int:
    """Put up to `most` dead jobs back, oldest first, and their documents with them. Returns how many."""
    return len(
        await _put_back(
            connection,
            [job.job_id for job in await list_jobs(connection, wanted, None, most, "oldest")],
        )
    )


async def _put_back(connection: Connection, jobs: Sequence[UUID]) -> Sequence[UUID]:
    await connection.execute(_SQL["lock_documents"], list(jobs))
    again = await retry_all(connection, jobs)
    await connection.execute(_SQL["restart_documents"], again)
    return again
