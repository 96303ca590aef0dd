"""Write and remove the chunks of documents, in the lexical index and the vector store together."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from uuid import UUID

from knowlog.database import Connection
from knowlog.stores import lexical
from knowlog.stores.model import DocumentChunks, VectorRow, Vectors
from knowlog.stores.port import VectorStore


async def index_chunks(
    connection: Connection,
    store: VectorStore,
    tenant_id: UUID,
    embedding_key: str,
    documents: Sequence[DocumentChunks],
    vectors: Vectors,
    content_hashes: Sequence[UUID],
    further: Mapping[str, Vectors] = MappingProxyType({}),
) -> int:
    """Make the chunks of documents findable, within the caller's transaction. Returns how many there were.

    `vectors` and `content_hashes` have one entry for each chunk, in the order of the documents and their
    chunks; `further` has such vectors under other keys. Chunks that an earlier version has are removed with
    `remove_chunks` before.
    """
    ids = await lexical.write_chunks(connection, documents)
    owners = [document for document in documents for _ in document.chunks]
    rows = [
        VectorRow(chunk_id, owner.collection_id, owner.document_id, content_hash, owner.metadata)
        for chunk_id, owner, content_hash in zip(ids, owners, content_hashes, strict=True)
    ]
    if rows:
        for key, made in {embedding_key: vectors, **further}.items():
            await store.write(connection, tenant_id, key, rows, made)
    return len(rows)


async def remove_chunks(
    connection: Connection, store: VectorStore, tenant_id: UUID, document_ids: Sequence[UUID]
) -> int:
    """Remove every chunk of the documents, with vectors and statistics. Returns how many there were."""
    if not document_ids:
        return 0
    await store.delete_documents(connection, tenant_id, document_ids)
    return await lexical.remove_chunks(connection, document_ids)
