"""Delete a document, and prove that it is gone."""

import dataclasses
from typing import Any
from uuid import UUID

from knowlog.bus import append_events, notify_progress
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.documents import DeletionReceipt, within
from knowlog.kernel import new_id, now
from knowlog.kernel.errors import InternalError, NotFound, PreconditionFailed
from knowlog.stores import VectorStore, probes_of, remove_chunks, search_probes

_SQL = load_queries("knowlog.ingestion")


async def delete_document(
    database: Database, store: VectorStore, embedding_key: str, scope: Scope, document_id: UUID,
    expected: int | None = None,
) -> DeletionReceipt:  # fmt: skip
    """Delete a document with all its versions, chunks, vectors and statistics, and search for it afterwards.

    The proof repeats, after the commit, the searches that found the document before: by its own words and by its own
    vectors. A worker removes the original bytes. Raises NotFound, PreconditionFailed when `expected` is not its revision.
    """
    async with database.transaction(scope) as connection:
        row = await connection.fetchrow(_SQL["lock_document"], document_id, within(scope), expected)
        if row is None:
            await _explain_absence(connection, scope, document_id)
        probes = await probes_of(connection, store, scope.tenant_id, document_id, embedding_key)
        found_before = await search_probes(connection, store, scope.tenant_id, document_id, probes)
        await _remove(connection, store, scope, document_id)
    async with database.transaction(scope) as connection:
        left = dict(await connection.fetchrow(_SQL["left_overs"], document_id))
        found_after = await search_probes(connection, store, scope.tenant_id, document_id, probes)
        if any(left.values()) or any(found_after.values()):
            raise InternalError(f"The document was deleted, and something of it is still found: {left}, {found_after}.")
        proof = {"rows_left": left, "searches_found_before": found_before, "searches_found_after": found_after}
        receipt = DeletionReceipt(
            new_id(), document_id, row["external_id"], row["collection"], row["versions"], row["chunks"], row["vectors"],
            row["size_bytes"], proof, scope.principal, now(),
        )  # fmt: skip
        stored = {key: str(value) if key.endswith(("_id", "_at")) else value for key, value in dataclasses.asdict(receipt).items()}
        stored["external_id"] = receipt.external_id
        await connection.execute(_SQL["keep_receipt"], receipt.receipt_id, document_id, stored)
    return receipt


async def get_receipt(connection: Connection, document_id: UUID) -> dict[str, Any]:
    """Return the receipt of a deleted document. Raises NotFound."""
    receipt: dict[str, Any] | None = await connection.fetchval(_SQL["get_receipt"], document_id)
    if receipt is None:
        raise NotFound("There is no receipt: no such document was deleted.")
    return receipt


async def _remove(connection: Connection, store: VectorStore, scope: Scope, document_id: UUID) -> None:
    blobs = [row["blob"] for row in await connection.fetch(_SQL["document_blobs"], document_id)]
    await remove_chunks(connection, store, scope.tenant_id, [document_id])
    await connection.execute(_SQL["delete_document"], document_id)
    await connection.execute(_SQL["stop_events"], document_id)
    await append_events(connection, "document.deleted", [(document_id, {"blobs": blobs})])
    await notify_progress(connection, scope.tenant_id, document_id)


async def _explain_absence(connection: Connection, scope: Scope, document_id: UUID) -> None:
    if await connection.fetchrow(_SQL["lock_document"], document_id, within(scope), None):
        raise PreconditionFailed("The document has changed since you read it. Read it again, then repeat the deletion.")
    raise NotFound("There is no such document.")


