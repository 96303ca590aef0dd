"""Collections with documents of one chunk each, written as ingestion writes them, without a model."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from knowlog.database import Database, Scope
from knowlog.embedding import EmbeddingProfile, ReadTokens
from knowlog.embedding.tokens import compact
from knowlog.kernel import new_id
from knowlog.stores import ChunkRow, DocumentChunks, StoresSettings, VectorStore, index_chunks, open_store

KEY = "words-16"


class WordEmbedder:
    """Places a text by hashing its words: the same words, the same vector."""

    profile = EmbeddingProfile("words", 16, 256, KEY)

    def embed(self, text: str) -> NDArray[np.float32]:
        """One text, synchronously."""
        vector = np.full(16, 0.01, np.float32)
        for word in text.lower().split():
            vector[hashlib.md5(word.encode()).digest()[0] % 16] += 1
        return vector / np.linalg.norm(vector)

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """As an embedder does."""
        return self.embed(text)

    async def embed_tokens(self, texts: Sequence[str], owner: str) -> ReadTokens:
        """A word is a token, and its own vector."""
        rows = [[self.embed(word) for word in text.split()] for text in texts]
        return ReadTokens([compact(np.array(own, np.float32).reshape(-1, 16)) for own in rows], 0)

    def token_offsets(self, text: str) -> NDArray[np.int32]:
        """A token is a word."""
        return np.array([match.start() for match in re.finditer(r"\S+", text)], np.int32)


Put = Callable[..., Awaitable[list[UUID]]]
MakeCollection = Callable[[Scope, str], Awaitable[UUID]]


@pytest.fixture
def embedder() -> WordEmbedder:
    """An embedder without a model."""
    return WordEmbedder()


@pytest.fixture(scope="session")
def store() -> VectorStore:
    """The store that lives in the database."""
    return open_store(StoresSettings())


@pytest.fixture(scope="module")
def make_collection(database: Database) -> MakeCollection:
    """Make a collection of a tenant."""

    async def make(scope: Scope, name: str) -> UUID:
        collection_id = new_id()
        async with database.transaction(scope) as connection:
            await connection.execute(
                "insert into collections (tenant_id, collection_id, name, profile)"
                " values (tenant(), $1, $2, $3)",
                collection_id, name, {},
            )  # fmt: skip
        return collection_id

    return make


@pytest.fixture
async def collection(make_collection: MakeCollection, tenant: Scope) -> UUID:
    """Alice's collection."""
    return await make_collection(tenant, "docs")


@pytest.fixture(scope="module")
def put(database: Database, store: VectorStore) -> Put:
    """Store texts as documents, so many chunks each. Returns the document ids."""

    async def put(
        scope: Scope,
        collection_id: UUID,
        texts: Sequence[str],
        metadata: Sequence[Mapping[str, Any]] | None = None,
        vectors: NDArray[np.float32] | None = None,
        chunks_each: int = 1,
    ) -> list[UUID]:
        parts = [texts[start : start + chunks_each] for start in range(0, len(texts), chunks_each)]
        documents = [
            DocumentChunks(
                collection_id,
                new_id(),
                1,
                "",
                [ChunkRow(n, 0, len(text), text) for n, text in enumerate(own)],
            )
            for own in parts
        ]
        described = metadata or [{}] * len(documents)
        rows = [
            (each.document_id, collection_id, f"{each.document_id}", given)
            for each, given in zip(documents, described, strict=True)
        ]
        if vectors is None:
            vectors = np.array([WordEmbedder().embed(text) for text in texts]).reshape(len(texts), 16)
        async with database.transaction(scope) as connection:
            await connection.executemany(
                "insert into documents (tenant_id, document_id, collection_id, external_id, title,"
                " title_given, metadata, version, latest, state)"
                " values (tenant(), $1, $2, $3, '', false, $4, 1, 1, 'indexed')",
                rows,
            )
            await connection.executemany(
                "insert into versions (tenant_id, document_id, version, blob, content_hash, size_bytes,"
                " filename) values (tenant(), $1, 1, '', '', 0, '')",
                [(each.document_id,) for each in documents],
            )
            hashes = [UUID(bytes=hashlib.md5(text.encode()).digest()) for text in texts]
            await index_chunks(connection, store, scope.tenant_id, KEY, documents, vectors, hashes)
        return [each.document_id for each in documents]

    return put
