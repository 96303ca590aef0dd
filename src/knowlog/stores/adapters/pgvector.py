"""Vectors in the same PostgreSQL: one transaction with everything else, and its policies.

A collection is scanned exactly until it is large; then it has an HNSW index of its own (see
`graduate_large_collections`), which is used unless a filter leaves so few chunks that scanning those is
exact and as fast.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from knowlog.database import Connection, load_queries
from knowlog.stores.lexical import portions
from knowlog.stores.model import Hit, VectorQuery, VectorRow, Vectors

_SQL = load_queries("knowlog.stores")


class PgvectorStore:
    """The `vectors` table."""

    async def write(
        self,
        connection: Connection,
        tenant_id: UUID,
        embedding_key: str,
        rows: Sequence[VectorRow],
        vectors: Vectors,
    ) -> None:
        """See VectorStore."""
        pairs = list(zip(rows, half_vectors(vectors), strict=True))
        for some in portions(pairs):
            await connection.execute(
                _SQL["insert_vectors"], embedding_key, [row.collection_id for row, _ in some],
                [row.chunk_id for row, _ in some], [row.document_id for row, _ in some],
                [row.content_hash for row, _ in some], [vector for _, vector in some],
            )  # fmt: skip

    async def search(self, connection: Connection, tenant_id: UUID, query: VectorQuery) -> list[Hit]:
        """See VectorStore."""
        path = query.filter.jsonpath() if query.filter else None
        found = await connection.fetch(
            _SQL["dense_search"],
            list(query.collections),
            query.embedding_key,
            half_vector(query.vector),
            query.most,
            path,
            query.exact,
            query.enough,
        )
        return list(map(Hit._make, found))

    async def score(
        self, connection: Connection, tenant_id: UUID, query: VectorQuery, chunk_ids: Sequence[int]
    ) -> dict[int, float]:
        """See VectorStore."""
        found = await connection.fetch(
            _SQL["dense_scores"],
            list(query.collections),
            query.embedding_key,
            half_vector(query.vector),
            list(chunk_ids),
        )
        return dict(map(tuple, found))

    async def vectors(
        self, connection: Connection, tenant_id: UUID, query: VectorQuery, chunk_ids: Sequence[int]
    ) -> dict[int, Vectors]:
        """See VectorStore."""
        found = await connection.fetch(
            _SQL["chunk_vectors"], list(query.collections), query.embedding_key, list(chunk_ids)
        )
        return {record["chunk_id"]: _whole_vector(record["embedding"]) for record in found}

    async def delete_documents(
        self, connection: Connection, tenant_id: UUID, document_ids: Sequence[UUID]
    ) -> int:
        """See VectorStore."""
        return int(await connection.fetchval(_SQL["delete_vectors"], list(document_ids)))

    async def set_metadata(
        self, connection: Connection, tenant_id: UUID, document_id: UUID, metadata: Mapping[str, Any]
    ) -> None:
        """Nothing to do: filters read the documents themselves."""

    async def known_vectors(
        self, connection: Connection, tenant_id: UUID, embedding_key: str, content_hashes: Sequence[UUID]
    ) -> dict[UUID, Vectors]:
        """See VectorStore."""
        found = await connection.fetch(_SQL["known_vectors"], embedding_key, list(content_hashes))
        return {record["content_hash"]: _whole_vector(record["embedding"]) for record in found}

    async def count(
        self, connection: Connection, tenant_id: UUID, collection_id: UUID, embedding_key: str
    ) -> int:
        """See VectorStore."""
        return int(await connection.fetchval(_SQL["count_vectors"], collection_id, embedding_key))

    async def holding(
        self,
        connection: Connection,
        tenant_id: UUID,
        collection_id: UUID,
        embedding_key: str,
        chunk_ids: Sequence[int],
    ) -> set[int]:
        """See VectorStore."""
        found = await connection.fetch(_SQL["holding_vectors"], collection_id, embedding_key, list(chunk_ids))
        return {record["chunk_id"] for record in found}

    async def drop_others(
        self, connection: Connection, tenant_id: UUID, collection_id: UUID, embedding_key: str, most: int
    ) -> int:
        """See VectorStore."""
        return int(await connection.fetchval(_SQL["drop_others"], collection_id, embedding_key, most))


def half_vector(vector: NDArray[np.float32]) -> bytes:
    """Return a pgvector halfvec as PostgreSQL reads it."""
    return struct.pack(">HH", len(vector), 0) + vector.astype(">f2").tobytes()


def half_vectors(vectors: Vectors) -> list[bytes]:
    """Return each row as `half_vector` does."""
    head = struct.pack(">HH", vectors.shape[1] if vectors.ndim == 2 else 0, 0)
    return [head + row.tobytes() for row in vectors.astype(">f2")]


def _whole_vector(data: bytes) -> Vectors:
    return np.frombuffer(data, ">f2", offset=4).astype(np.float32)
