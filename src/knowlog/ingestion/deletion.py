"""Delete a document, or a collection, and prove by searching that it is gone."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any
from uuid import UUID

from knowlog.bus import append_events, notify_progress
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.documents import (
    CollectionReceipt,
    DeletionReceipt,
    delete_collection,
    get_collection,
    within,
)
from knowlog.kernel import new_id, now
from knowlog.kernel.errors import InternalError, NotFound, PreconditionFailed
from knowlog.stores import (
    LexicalQuery,
    VectorQuery,
    Vectors,
    VectorStore,
    lexical_search,
    remove_chunks,
    term_statistics,
)
from knowlog.tenants import record

_SQL = load_queries("knowlog.ingestion")
_DEPTH = 20


@dataclass(frozen=True, slots=True)
class _Probe:
    """A search that should find a chunk while it is there: by its own words and by its own vector."""

    collection_id: UUID
    embedding_key: str
    text: str
    vector: Vectors


async def delete_document(
    database: Database, store: VectorStore, scope: Scope, document_id: UUID, expected: int | None = None
) -> DeletionReceipt:
    """Delete a document with its versions, chunks, vectors and statistics, all or nothing.

    The receipt counts what was removed, and how often the document was found by its own words and vectors before and
    after; the deletion is undone if it is still found. A worker removes the original bytes. Raises NotFound, or
    PreconditionFailed when `expected` is not the document's revision.
    """
    async with database.transaction(scope) as connection:
        return await delete_within(connection, store, scope, document_id, expected)


async def delete_within(
    connection: Connection, store: VectorStore, scope: Scope, document_id: UUID, expected: int | None = None
) -> DeletionReceipt:
    """Do as `delete_document` does, in the caller's transaction."""
    row = await connection.fetchrow(_SQL["lock_document"], document_id, within(scope), expected)
    if row is None:
        await _explain_absence(connection, scope, document_id)
    counted = await connection.fetchrow(_SQL["count_document"], document_id)
    chosen = await connection.fetch(_SQL["probe_chunks"], document_id)
    probes = await _probes(connection, store, scope, chosen)
    chunk_ids = {found["chunk_id"] for found in await connection.fetch(_SQL["chunk_ids"], document_id)}
    before = await _searches_that_find(connection, store, scope, probes, chunk_ids)
    blobs = await _remove(connection, store, scope, document_id)
    after = await _searches_that_find(connection, store, scope, probes, chunk_ids)
    left = dict(await connection.fetchrow(_SQL["left_overs"], document_id))
    proof = _proof("document", probes, before, after, left)
    receipt = DeletionReceipt(
        new_id(), document_id, row["external_id"], row["collection"], **counted,
        proof=proof, deleted_by=scope.principal, deleted_at=now(),
    )  # fmt: skip
    await connection.execute(
        _SQL["keep_receipt"], receipt.receipt_id, document_id, asdict(receipt), row["audience"]
    )
    data = {"collection_id": row["collection_id"], "blobs": blobs}
    await record(connection, scope, "document.deleted", f"document:{document_id}", _told(receipt, row))
    await append_events(connection, "document.deleted", [(document_id, data)])
    await notify_progress(connection, scope.tenant_id, document_id)
    return receipt


def _told(receipt: DeletionReceipt, row: Any) -> dict[str, Any]:
    """What the audit log says of a deletion."""
    return {
        "receipt_id": receipt.receipt_id,
        "collection_id": row["collection_id"],
        "versions": receipt.versions,
        "chunks": receipt.chunks,
    }


async def get_receipt(connection: Connection, scope: Scope, document_id: UUID) -> dict[str, Any]:
    """Return the receipt of a deleted document, as it was kept, to whoever could see it. Raises NotFound."""
    receipt: dict[str, Any] | None = await connection.fetchval(
        _SQL["get_receipt"], document_id, within(scope)
    )
    if receipt is None:
        raise NotFound("There is no receipt: no such document was deleted.")
    return {each.name: receipt[each.name] for each in fields(DeletionReceipt) if each.name in receipt}


async def delete_whole_collection(
    database: Database, store: VectorStore, scope: Scope, name_or_id: str
) -> CollectionReceipt:
    """Delete a collection with everything in it, all or nothing. The receipt proves it as that of a document does.

    Raises NotFound.
    """
    async with database.transaction(scope) as connection:
        found = await get_collection(connection, scope, name_or_id)
        collection_id = found.collection_id
        await connection.execute(_SQL["lock_whole_collection"], collection_id)
        documents = [row[0] for row in await connection.fetch(_SQL["documents_within"], collection_id)]
        counted = dict(await connection.fetchrow(_SQL["count_collection"], collection_id, documents))
        counted["size_bytes"] = await connection.fetchval(_SQL["size_of_documents"], documents)
        chosen = await connection.fetch(_SQL["probe_collection"], collection_id)
        probes = await _probes(connection, store, scope, chosen)
        chunk_ids = {row["chunk_id"] for row in chosen}
        before = await _searches_that_find(connection, store, scope, probes, chunk_ids)
        await delete_collection(connection, scope, str(collection_id))
        after = await _searches_that_find(connection, store, scope, probes, chunk_ids)
        left = dict(await connection.fetchrow(_SQL["count_collection"], collection_id, documents))
        proof = _proof("collection", probes, before, after, left)
        told = {"name": found.name, **counted}
        await record(connection, scope, "collection.deleted", f"collection:{collection_id}", told)
    return CollectionReceipt(
        collection_id, found.name, **counted, proof=proof, deleted_by=scope.principal, deleted_at=now()
    )


def _proof(what: str, probes: list[_Probe], before: int, after: int, left: dict[str, int]) -> dict[str, Any]:
    """What the searches before and after a deletion say. Raises InternalError, which undoes it, when anything is left."""
    if after or any(left.values()):
        raise InternalError(f"The {what} was still found after its deletion, which was undone: {left}.")
    return {"searches": 2 * len(probes), "found_before": before, "found_after": after, "rows_left": left}


async def _probes(
    connection: Connection, store: VectorStore, scope: Scope, chosen: Sequence[Any]
) -> list[_Probe]:
    """The chosen chunks, with their vectors."""
    probes = []
    for row in chosen:
        key, digest = row["embedding_key"], row["content_hash"]
        known = await store.known_vectors(connection, scope.tenant_id, key, [digest])
        if digest in known:
            probes.append(_Probe(row["collection_id"], key, row["text"], known[digest]))
    return probes


async def _searches_that_find(
    connection: Connection, store: VectorStore, scope: Scope, probes: list[_Probe], chunk_ids: set[int]
) -> int:
    """How many of the probes' searches return one of the chunks."""
    found = 0
    for probe in probes:
        collections = (probe.collection_id,)
        statistics = await term_statistics(connection, collections, probe.text)
        by_words = await lexical_search(connection, statistics, LexicalQuery(collections, _DEPTH))
        query = VectorQuery(collections, probe.embedding_key, probe.vector, _DEPTH)
        by_vector = await store.search(connection, scope.tenant_id, query)
        found += sum(any(hit.chunk_id in chunk_ids for hit in hits) for hits in (by_words, by_vector))
    return found


async def _remove(connection: Connection, store: VectorStore, scope: Scope, document_id: UUID) -> list[str]:
    """Remove all there is of a document. Returns the blobs that are nobody's any more."""
    blobs = [row["blob"] for row in await connection.fetch(_SQL["document_blobs"], document_id)]
    await remove_chunks(connection, store, scope.tenant_id, [document_id])
    await connection.execute(_SQL["stop_events"], document_id)  # while it may be seen, and they with it
    await connection.execute(_SQL["delete_document"], document_id)
    return blobs


async def _explain_absence(connection: Connection, scope: Scope, document_id: UUID) -> None:
    if await connection.fetchrow(_SQL["lock_document"], document_id, within(scope), None):
        raise PreconditionFailed(
            "The document has changed since you read it. Read it again, then repeat the deletion."
        )
    raise NotFound("There is no such document.")
