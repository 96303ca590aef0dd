"""Batches of summaries: one of each document of a collection, with a budget, to be stopped and gone on with."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from knowlog.api.dependencies import AsEditor, Cursor, Limit, Route, TheApp, as_json, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.api.paging import page_of
from knowlog.api.repeating import Repeats
from knowlog.api.summaries import HowSummarized, Name, wished
from knowlog.database import Connection
from knowlog.documents import find_collection
from knowlog.edge import Answer, decode_cursor
from knowlog.summarizing import (
    Batch,
    Budget,
    Form,
    Mode,
    Unit,
    ask_batch,
    cancel_batch,
    checked,
    get_batch,
    list_batches,
    resume_batch,
)
from knowlog.tenants import Principal, record

router = APIRouter(
    prefix="/v1/summaries/batches", tags=["summaries"], route_class=Route, responses=problems(404)
)


class BudgetBody(Body):
    """Where a batch stops by itself. Null: no limit but the tenant's own."""

    most_documents: int | None = Field(None, ge=1, le=2**31 - 1, description="Documents, since its begin.")
    most_tokens: int | None = Field(
        None, ge=1, le=2**62, description="Tokens of a language model, since its begin."
    )

    @property
    def budget(self) -> Budget:
        """The same for the room."""
        return Budget(self.most_documents, self.most_tokens)


class NewBatch(HowSummarized):
    """Which collection, how each of its documents is summarized, and where to stop."""

    collection: Name = Field(description="Name or id of the collection.")
    most_documents: int | None = Field(None, ge=1, le=2**31 - 1, description="Stop after so many documents.")
    most_tokens: int | None = Field(
        None, ge=1, le=2**62, description="Stop after so many tokens of a language model."
    )


class BatchBody(Body):
    """A batch: of `total` documents `done` are done, of which `reused` had their summary and `failed` cannot have one."""

    batch_id: UUID
    collection_id: UUID
    collection: str
    state: Literal["waiting", "running", "done", "stopped", "failed", "cancelled"]
    reason: str | None
    since: datetime | None
    until: datetime | None
    date_field: str | None
    form: Form
    wished: int
    unit: Unit
    mode: Mode
    renewed: bool
    total: int
    done: int
    reused: int
    failed: int
    llm_tokens: int
    most_tokens: int | None
    most_documents: int | None
    created_at: datetime
    created_by: str
    finished_at: datetime | None


@router.post(
    "", status_code=202, response_model=BatchBody, responses=problems(409), summary="Summarize each document"
)
async def create(body: NewBatch, caller: AsEditor, app: TheApp, repeats: Repeats) -> Response:
    """Have each document of a collection summarized that you may see. Summaries that you have already are not made again.

    `GET /v1/summaries?batch=...` lists what is made. Example: `{"collection": "handbook", "length": 100}`.
    """
    writers = await app.summarizing.writers(caller.scope, body.mode)

    async def act(connection: Connection) -> Answer:
        collection_id = await find_collection(connection, caller.scope, body.collection)
        wanted = checked(body.of(collection_id), has_model=bool(writers))
        budget = Budget(body.most_documents, body.most_tokens)
        batch = await ask_batch(connection, caller.scope, wanted, budget)
        return await _answer(connection, caller, "asked", batch)

    return await repeats.reply(app, caller.scope, act)


@router.get("", response_model=Listing[BatchBody], summary="List your batches")
async def listing(caller: AsEditor, app: TheApp, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """List the batches that you asked for, newest first."""
    before: Any = decode_cursor(cursor, UUID)
    asker = caller.scope.principal
    async with app.database.transaction(caller.scope) as connection:
        found = await list_batches(connection, caller.scope, asker, before and before[0], limit + 1)
    return page_of(found, limit, lambda each: (each.batch_id,), _rendered)


@router.get("/{batch_id:uuid}", response_model=BatchBody, summary="Show one batch")
async def show(batch_id: UUID, caller: AsEditor, app: TheApp) -> Response:
    """Show how far a batch is."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(_rendered(await get_batch(connection, caller.scope, batch_id, caller.scope.principal)))


@router.post(
    "/{batch_id:uuid}:cancel", response_model=BatchBody, responses=problems(409), summary="Cancel a batch"
)
async def cancel(batch_id: UUID, caller: AsEditor, app: TheApp) -> Response:
    """Cancel a batch that waits or is under way. What is made stays."""
    async with app.database.transaction(caller.scope) as connection:
        batch = await cancel_batch(connection, caller.scope, batch_id, caller.scope.principal)
        await _record(connection, caller, "cancelled", batch)
    return reply(_rendered(batch))


@router.post(
    "/{batch_id:uuid}:resume",
    status_code=202,
    response_model=BatchBody,
    responses=problems(409),
    summary="Resume a batch",
)
async def resume(
    batch_id: UUID, body: BudgetBody, caller: AsEditor, app: TheApp, repeats: Repeats
) -> Response:
    """Go on with a batch that has stopped, failed or was cancelled, behind the last document, within another budget."""

    async def act(connection: Connection) -> Answer:
        asker = caller.scope.principal
        batch = await resume_batch(connection, caller.scope, batch_id, asker, body.budget)
        return await _answer(connection, caller, "resumed", batch)

    return await repeats.reply(app, caller.scope, act)


async def _answer(connection: Connection, caller: Principal, done: str, batch: Batch) -> Answer:
    await _record(connection, caller, done, batch)
    place = {"Location": f"/v1/summaries/batches/{batch.batch_id}"}
    return Answer(202, as_json(_rendered(batch)), place)


def _rendered(batch: Batch) -> dict[str, Any]:
    own = {name: getattr(batch, name) for name in batch.__dataclass_fields__ if name != "wanted"}
    return {**own, **wished(batch.wanted)}


async def _record(connection: Connection, caller: Principal, done: str, batch: Batch) -> None:
    told = {"collection_id": batch.collection_id, "documents": batch.total}
    await record(connection, caller.scope, f"summary_batch.{done}", f"summary_batch:{batch.batch_id}", told)
