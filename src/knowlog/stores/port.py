"""What knowlog asks of a vector store. It neither chunks nor embeds: vectors in, hits out."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from knowlog.database import Connection
from knowlog.stores.model import Hit, VectorQuery, VectorRow, Vectors


class VectorStore(Protocol):
    """Vectors of many tenants, each seeing only its own.

    Every call gets the caller's open transaction. A store inside the database works in it, so that its
    changes are committed or rolled back with everything else; a store outside ignores it, and is told of
    changes that are committed.
    """

    async def write(
        self,
        connection: Connection,
        tenant_id: UUID,
        embedding_key: str,
        rows: Sequence[VectorRow],
        vectors: Vectors,
    ) -> None:
        """Store one vector for each row; a chunk that has one with this key already gets the new one."""
        ...

    async def search(self, connection: Connection, tenant_id: UUID, query: VectorQuery) -> list[Hit]:
        """Return the nearest chunks, best first, ties by chunk id. Scores are cosine similarities.

        Only chunks of documents that the transaction may see are ranked: what is hidden changes nothing.
        """
        ...

    async def score(
        self, connection: Connection, tenant_id: UUID, query: VectorQuery, chunk_ids: Sequence[int]
    ) -> dict[int, float]:
        """Return the exact cosine similarity of these chunks to the query, of those that have a vector."""
        ...

    async def vectors(
        self, connection: Connection, tenant_id: UUID, query: VectorQuery, chunk_ids: Sequence[int]
    ) -> dict[int, Vectors]:
        """Return the vectors, of shape [dimensions], of these chunks, of those that have one with the query's key.

        Chunks of other collections, and of documents that the transaction may not see, have none.
        """
        ...

    async def delete_documents(
        self, connection: Connection, tenant_id: UUID, document_ids: Sequence[UUID]
    ) -> int:
        """Remove all vectors of the documents, under every key. Returns how many there were."""
        ...

    async def set_metadata(
        self, connection: Connection, tenant_id: UUID, document_id: UUID, metadata: Mapping[str, Any]
    ) -> None:
        """Let filters see the document's new metadata."""
        ...

    async def known_vectors(
        self, connection: Connection, tenant_id: UUID, embedding_key: str, content_hashes: Sequence[UUID]
    ) -> dict[UUID, Vectors]:
        """Return the vectors, of shape [dimensions], that texts of this tenant with these hashes have."""
        ...

    async def count(
        self, connection: Connection, tenant_id: UUID, collection_id: UUID, embedding_key: str
    ) -> int:
        """Return how many vectors a collection has under this key."""
        ...

    async def holding(
        self,
        connection: Connection,
        tenant_id: UUID,
        collection_id: UUID,
        embedding_key: str,
        chunk_ids: Sequence[int],
    ) -> set[int]:
        """Return those of a collection's chunks that have a vector with this key."""
        ...

    async def drop_others(
        self, connection: Connection, tenant_id: UUID, collection_id: UUID, embedding_key: str, most: int
    ) -> int:
        """Remove at most so many of a collection's vectors with other keys. Returns how many; 0: none is left."""
        ...
