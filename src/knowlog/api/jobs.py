"""Jobs: the work that is done on documents in the background."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from knowlog.api.dependencies import AsEditor, AsReader, Cursor, Limit, Route, TheApp, reply
from knowlog.api.model import Listing, problems
from knowlog.bus import Job, JobState, get_job, list_jobs, retry
from knowlog.database import Connection, Scope
from knowlog.documents import get_document, get_documents, retry_document
from knowlog.edge import decode_cursor, encode_cursor
from knowlog.kernel.errors import NotFound

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=Route, responses=problems())


@router.get("", response_model=Listing[Job], summary="List jobs, newest first")
async def listing(
    caller: AsReader, app: TheApp, cursor: Cursor = None, limit: Limit = 50, state: JobState | None = None
) -> Response:
    """List jobs, newest first. A key that is limited to some collections sees those about their documents."""
    before: Any = decode_cursor(cursor, UUID)
    async with app.database.transaction(caller.scope) as connection:
        found = await list_jobs(connection, state, before and before[0], limit + 1, caller.scope.collections)
    following = encode_cursor(found[limit - 1].job_id) if len(found) > limit else None
    return reply({"items": found[:limit], "next_cursor": following})


@router.get("/{job_id:uuid}", response_model=Job, responses=problems(404), summary="Show one job")
async def show(job_id: UUID, caller: AsReader, app: TheApp) -> Response:
    """Show one job."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await visible_job(connection, caller.scope, job_id))


@router.post(
    "/{job_id}:retry",
    status_code=202,
    response_model=Job,
    responses=problems(404, 409),
    summary="Retry a failed job",
)
async def again(job_id: UUID, caller: AsEditor, app: TheApp) -> Response:
    """Put a failed job back into the queue, and its document with it."""
    async with app.database.transaction(caller.scope) as connection:
        job = await visible_job(connection, caller.scope, job_id)
        if job.kind == "document.received":
            document = await get_document(connection, caller.scope, job.document_id)
            if document.state == "failed":
                job = await get_job(
                    connection, await retry_document(connection, caller.scope, document.document_id)
                )
                return reply(job, 202, {"Location": f"/v1/jobs/{job.job_id}"})
        job = await retry(connection, job_id)
    return reply(job, 202, {"Location": f"/v1/jobs/{job.job_id}"})


async def visible_job(connection: Connection, scope: Scope, job_id: UUID) -> Job:
    """Return a job that the scope may see. Raises NotFound."""
    shown = await _visible(connection, scope, [await get_job(connection, job_id)])
    if not shown:
        raise NotFound("There is no such job.")
    return shown[0]


async def _visible(connection: Connection, scope: Scope, jobs: list[Job]) -> list[Job]:
    if scope.collections is None:
        return jobs
    within = {
        found.document_id
        for found in await get_documents(connection, scope, [job.document_id for job in jobs])
    }
    return [job for job in jobs if job.document_id in within]
