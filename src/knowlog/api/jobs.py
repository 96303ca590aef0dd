"""Jobs: the work that is done in the background, on documents and for schedules."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from knowlog.api.dependencies import (
    NO_NUL,
    AsEditor,
    AsReader,
    Cursor,
    Limit,
    Route,
    TheApp,
    as_json,
    reply,
)
from knowlog.api.model import Body, Listing, problems
from knowlog.api.paging import page_of
from knowlog.api.repeating import Repeats
from knowlog.bootstrap import App
from knowlog.bus import NO_JOB, OF_ADMINS, AskedState, Job, Order, WantedJobs, get_job, list_jobs
from knowlog.database import Connection, Scope
from knowlog.documents import cancel_job, find_collection, get_documents, retry_dead_jobs, retry_job
from knowlog.edge import Answer, decode_cursor
from knowlog.kernel.errors import NotFound
from knowlog.tenants import Principal, get_key, record

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=Route, responses=problems())

_AT_ONCE = 200
Name = Annotated[str, Field(max_length=200), NO_NUL]


class DeadJobs(Body):
    """Which dead jobs are to be tried again; all that the key may touch, where nothing is named."""

    kind: Name | None = Field(None, description="Only of this kind.", examples=["document.received"])
    collection: Name | None = Field(None, description="Only about this collection and its documents.")


class Retried(Body):
    """How many jobs are tried again."""

    retried: int


@router.get("", response_model=Listing[Job], responses=problems(404), summary="List jobs, newest first")
async def listing(
    caller: AsReader, app: TheApp, cursor: Cursor = None, limit: Limit = 50,
    state: Annotated[
        AskedState | None,
        Query(description="`dead`: failed, and not asked for anew."),
    ] = None,
    kind: Annotated[Name | None, Query(description="Only of this kind, such as document.received.")] = None,
    document_id: Annotated[UUID | None, Query(description="Only about this document.")] = None,
    collection: Annotated[Name | None, Query(description="Only about this collection.")] = None,
    order: Order = "newest",
) -> Response:  # fmt: skip
    """List jobs. A key that is limited to some collections sees those about their documents; those of webhooks and
    schedules are for admins.
    """
    behind: Any = decode_cursor(cursor, UUID)
    async with app.database.transaction(caller.scope) as connection:
        within = await _within(connection, caller.scope, collection)
        wanted = WantedJobs(state, kind, document_id, within, hidden_from(caller))
        found = await list_jobs(connection, wanted, behind and behind[0], limit + 1, order)
    return page_of(found, limit, lambda each: (each.job_id,))


@router.post(
    ":retry",
    status_code=202,
    response_model=Retried,
    responses=problems(404),
    summary="Retry all dead jobs",
)
async def retry_all(body: DeadJobs, caller: AsEditor, app: TheApp) -> Response:
    """Put dead jobs back into the queue, with their documents: those of a kind, of a collection, or all.

    Example: `{"kind": "document.received", "collection": "handbook"}`.
    """
    async with app.database.transaction(caller.scope) as connection:
        within = await _within(connection, caller.scope, body.collection)
    wanted = WantedJobs("dead", body.kind, None, within, hidden_from(caller))
    return reply({"retried": await _retry_all(app, caller.scope, wanted)}, 202)


@router.get("/{job_id:uuid}", response_model=Job, responses=problems(404), summary="Show one job")
async def show(job_id: UUID, caller: AsReader, app: TheApp) -> Response:
    """Show one job."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await visible_job(connection, caller, job_id))


@router.post(
    "/{job_id}:retry",
    status_code=202,
    response_model=Job,
    responses=problems(404, 409),
    summary="Retry a failed or cancelled job",
)
async def again(job_id: UUID, caller: AsEditor, app: TheApp, repeats: Repeats) -> Response:
    """Put a failed or cancelled job back into the queue, and its document with it."""

    async def act(connection: Connection) -> Answer:
        await visible_job(connection, caller, job_id)
        job = await retry_job(connection, job_id)
        await record(connection, caller.scope, "job.retried", f"job:{job_id}", {"kind": job.kind})
        return Answer(202, as_json(job), {"Location": f"/v1/jobs/{job.job_id}"})

    return await repeats.reply(app, caller.scope, act)


@router.post("/{job_id}:cancel", response_model=Job, responses=problems(404, 409), summary="Cancel a job")
async def cancel(job_id: UUID, caller: AsEditor, app: TheApp) -> Response:
    """Cancel a job that waits or runs. From this answer on it has no effect any more; a worker that is at it stops
    within seconds. Its document is `failed`, saying who cancelled; one that answers already goes on. `:retry` takes
    it back.
    """
    async with app.database.transaction(caller.scope) as connection:
        await visible_job(connection, caller, job_id)
        job = await cancel_job(connection, job_id, await _named(connection, caller))
        await record(connection, caller.scope, "job.cancelled", f"job:{job_id}", {"kind": job.kind})
    return reply(job)


async def visible_job(connection: Connection, caller: Principal, job_id: UUID) -> Job:
    """Return a job that the caller may see. Raises NotFound."""
    job, scope = await get_job(connection, job_id), caller.scope
    limited = scope.collections is not None and job.subject not in scope.collections
    if job.kind in hidden_from(caller) or (
        limited and not await get_documents(connection, scope, [job.subject])
    ):
        raise NotFound(NO_JOB)
    return job


def hidden_from(caller: Principal) -> frozenset[str]:
    """Types of events, and kinds of jobs, that the caller does not see: those of admins."""
    return frozenset() if caller.may("admin") else OF_ADMINS


async def _within(connection: Connection, scope: Scope, collection: str | None) -> Any:
    if collection is None:
        return scope.collections
    return [await find_collection(connection, scope, collection)]


async def _retry_all(app: App, scope: Scope, wanted: WantedJobs) -> int:
    """Retry in transactions of bearable size: a job that was put back is dead no more."""
    retried = 0
    while True:
        async with app.database.transaction(scope) as connection:
            count = await retry_dead_jobs(connection, wanted, _AT_ONCE)
            told = {"jobs": count, "kind": wanted.kind}
            await record(connection, scope, "jobs.retried", None, told)
        retried += count
        if count < _AT_ONCE:
            return retried


async def _named(connection: Connection, caller: Principal) -> str:
    """The caller as colleagues know it: the name of its key, and its role."""
    if caller.key_id is None:
        return f"the {caller.role}"
    return f"{(await get_key(connection, caller.key_id)).name!r} ({caller.role})"
