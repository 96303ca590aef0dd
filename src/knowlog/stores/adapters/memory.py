"""A vector store in the memory of the process: exact, and gone with it. For tests and trials."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from knowlog.database import Connection, load_queries
from knowlog.stores.model import Hit, VectorQuery, VectorRow, Vectors

_SQL = load_queries("knowlog.stores")


class MemoryStore:
    """Keeps every vector in a dictionary and compares the query with each."""

    def __init__(self) -> None:
        self._stored: dict[UUID, dict[tuple[str, int], tuple[VectorRow, Vectors]]] = {}

    async def write(
        self,
        connection: Connection,
        tenant_id: UUID,
        embedding_key: str,
        rows: Sequence[VectorRow],
        vectors: Vectors,
    ) -> None:
        """See VectorStore."""
        mine = self._stored.setdefault(tenant_id, {})
        mine.update(
            {(embedding_key, row.chunk_id): (row, vector) for row, vector in zip(rows, vectors, strict=True)}
        )

    async def search(self, connection: Connection, tenant_id: UUID, query: VectorQuery) -> list[Hit]:
        """See VectorStore."""
        wanted = [
            (row, vector)
            for row, vector in self._vectors(tenant_id, query.embedding_key)
            if row.collection_id in query.collections
            and (query.filter is None or query.filter.matches(row.metadata))
        ]
        asked = list({row.document_id for row, _ in wanted})
        seen = await connection.fetchval(_SQL["seen_documents"], asked)
        hits = [
            Hit(row.chunk_id, float(vector @ query.vector))
            for row, vector in wanted
            if seen is None or row.document_id in seen
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.chunk_id))[: query.most]

    async def score(
        self, connection: Connection, tenant_id: UUID, query: VectorQuery, chunk_ids: Sequence[int]
    ) -> dict[int, float]:
        """See VectorStore."""
        asked = set(chunk_ids)
        found = await self.search(
            connection, tenant_id, replace(query, most=len(self._stored.get(tenant_id, {})))
        )
        return {hit.chunk_id: hit.score for hit in found if hit.chunk_id in asked}

    async def vectors(
        self, connection: Connection, tenant_id: UUID, query: VectorQuery, chunk_ids: Sequence[int]
    ) -> dict[int, Vectors]:
        """See VectorStore."""
        found = await self.score(connection, tenant_id, replace(query, filter=None), chunk_ids)
        stored = self._stored.get(tenant_id, {})
        return {chunk_id: stored[query.embedding_key, chunk_id][1] for chunk_id in found}

    async def delete_documents(
        self, connection: Connection, tenant_id: UUID, document_ids: Sequence[UUID]
    ) -> int:
        """See VectorStore."""
        mine = self._stored.get(tenant_id, {})
        gone = [key for key, (row, _) in mine.items() if row.document_id in set(document_ids)]
        for key in gone:
            del mine[key]
        return len(gone)

    async def set_metadata(
        self, connection: Connection, tenant_id: UUID, document_id: UUID, metadata: Mapping[str, Any]
    ) -> None:
        """See VectorStore."""
        mine = self._stored.get(tenant_id, {})
        for key, (row, vector) in mine.items():
            if row.document_id == document_id:
                mine[key] = (replace(row, metadata=metadata), vector)

    async def known_vectors(
        self, connection: Connection, tenant_id: UUID, embedding_key: str, content_hashes: Sequence[UUID]
    ) -> dict[UUID, Vectors]:
        """See VectorStore."""
        asked = set(content_hashes)
        stored = self._vectors(tenant_id, embedding_key)
        return {row.content_hash: vector for row, vector in stored if row.content_hash in asked}

    async def count(
        self, connection: Connection, tenant_id: UUID, collection_id: UUID, embedding_key: str
    ) -> int:
        """See VectorStore."""
        return sum(row.collection_id == collection_id for row, _ in self._vectors(tenant_id, embedding_key))

    async def holding(
        self,
        connection: Connection,
        tenant_id: UUID,
        collection_id: UUID,
        embedding_key: str,
        chunk_ids: Sequence[int],
    ) -> set[int]:
        """See VectorStore."""
        stored = self._vectors(tenant_id, embedding_key)
        mine = {row.chunk_id for row, _ in stored if row.collection_id == collection_id}
        return mine & set(chunk_ids)

    async def drop_others(
        self, connection: Connection, tenant_id: UUID, collection_id: UUID, embedding_key: str, most: int
    ) -> int:
        """See VectorStore."""
        mine = self._stored.get(tenant_id, {})
        others = [
            key
            for key, (row, _) in mine.items()
            if row.collection_id == collection_id and key[0] != embedding_key
        ]
        for key in others[:most]:
            del mine[key]
        return len(others[:most])

    def _vectors(self, tenant_id: UUID, embedding_key: str) -> list[tuple[VectorRow, Vectors]]:
        stored = self._stored.get(tenant_id, {})
        return [value for (key, _), value in stored.items() if key == embedding_key]
