"""Batches: a summary of each document of a collection, asked for at once."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from knowlog.bus import UNDER_WAY, append_events, cancel_work, latest_job_of
from knowlog.database import Connection, Scope
from knowlog.documents import within
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict, Invalid, NotFound
from knowlog.summarizing.keeping import SQL, seen, subjects_of
from knowlog.summarizing.model import Batch, Budget, Wanted
from knowlog.summarizing.wishes import stored


async def ask_batch(connection: Connection, scope: Scope, wanted: Wanted, budget: Budget) -> Batch:
    """Ask for a summary of each document of a collection. Raises Conflict where there is none, Invalid for a topic."""
    if wanted.topic or wanted.document_id:
        raise Invalid("A batch makes a summary of each document: leave topic and document_id out.")
    documents, _ = await seen(connection, wanted)
    if not documents:
        raise Conflict("There is nothing to summarize: no document that you may see there is indexed.")
    batch_id = new_id()
    await connection.execute(
        SQL["insert_batch"], batch_id, wanted.collection_id, stored(wanted), subjects_of(scope), documents,
        budget.documents, budget.tokens, scope.principal,
    )  # fmt: skip
    await _request(connection, batch_id, wanted.collection_id)
    return await get_batch(connection, scope, batch_id, scope.principal)


async def list_batches(
    connection: Connection, scope: Scope, asker: str | None, before: UUID | None = None, most: int = 50
) -> list[Batch]:
    """List batches, newest first, from before the batch `before`; of one asker unless None."""
    rows = await connection.fetch(SQL["list_batches"], before, asker, None, within(scope), most)
    return [Batch(**row) for row in rows]


async def get_batch(connection: Connection, scope: Scope, batch_id: UUID, asker: str | None) -> Batch:
    """Return a batch of one asker (None: of any). Raises NotFound."""
    row = await connection.fetchrow(SQL["list_batches"], None, asker, batch_id, within(scope), 1)
    if row is None:
        raise NotFound(
            "There is no such batch. `GET /v1/summaries/batches` lists yours, as `knowlog summaries batches` does."
        )
    return Batch(**row)


async def cancel_batch(connection: Connection, scope: Scope, batch_id: UUID, asker: str | None) -> Batch:
    """Cancel a batch; what is made stays. Raises NotFound, or Conflict for one that has ended."""
    found = await get_batch(connection, scope, batch_id, asker)
    job_id = await latest_job_of(connection, batch_id)
    await cancel_work(connection, job_id, "batch", found.state, scope.principal)
    return await get_batch(connection, scope, batch_id, asker)


async def resume_batch(
    connection: Connection, scope: Scope, batch_id: UUID, asker: str | None, budget: Budget
) -> Batch:
    """Go on behind the last document of a batch that has stopped, failed or was cancelled. Raises NotFound, Conflict."""
    found = await get_batch(connection, scope, batch_id, asker)
    if found.state in {*UNDER_WAY, "done"}:
        raise Conflict(f"The batch is {found.state}: there is nothing to resume.")
    await connection.execute(
        SQL["resume_batch"], batch_id, budget.documents, budget.tokens, subjects_of(scope)
    )
    await _request(connection, batch_id, found.collection_id)
    return await get_batch(connection, scope, batch_id, asker)


async def _request(connection: Connection, batch_id: UUID, collection_id: UUID) -> None:
    data: Mapping[str, Any] = {"collection_id": collection_id}
    await append_events(connection, "summary_batch.requested", [(batch_id, data)])
