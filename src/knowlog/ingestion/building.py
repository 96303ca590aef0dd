"""Indexes built beside the one that answers: the texts that are stored, cut as another profile says and embedded.

A few documents at a time, each batch in one transaction: who is killed loses the batch it was at. What an index lacks is
found by looking, so that documents which come, change or go meanwhile need no word of it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np

from knowlog.chunking import LanguageModel
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.documents import ParsedText, load_structure
from knowlog.embedding import Embedder, OpenModel
from knowlog.ingestion.cutting import Cutter
from knowlog.ingestion.hashing import content_hash
from knowlog.ingestion.rows import chunking_profile
from knowlog.kernel.errors import Conflict
from knowlog.stores import DocumentChunks, Vectors, VectorStore, index_chunks
from knowlog.tenants import LimitsSettings, allowance, check, spend

_SQL = load_queries("knowlog.ingestion", "indexes.sql")
_AT_ONCE = 32
_SLICE = 64
"""Texts that are embedded at a time."""
_LIVES = timedelta(hours=1)
"""So long after the last that was done for it an index is there that nobody finishes."""
_DROPPED_AT_ONCE = 1000
_FIRST = UUID(int=0)

Tell = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Plan:
    """An index that is built: of which collection, how its texts are cut, and by which model embedded."""

    collection_id: UUID
    index_id: UUID
    chunking: Mapping[str, Any]
    embedding_key: str


async def _nothing() -> None:
    """Tell nobody."""


class Builder:
    """Builds indexes. Vectors of texts that the tenant has had embedded before are used again."""

    def __init__(
        self, database: Database, embedder: Embedder, store: VectorStore, open_model: OpenModel, most_chunks: int,
        limits: LimitsSettings, language: LanguageModel | None = None,
    ) -> None:  # fmt: skip
        self.database = database
        self._embedder = embedder
        self._store = store
        self._open_model = open_model
        self._limits = limits
        self._cutter = Cutter(database, embedder, language, most_chunks, limits)

    async def complete(
        self, scope: Scope, plan: Plan, documents: Sequence[UUID] | None = None, tell: Tell = _nothing
    ) -> None:
        """Write what an index lacks of some documents, or of its collection's; `tell` is called after each batch.

        Documents that come meanwhile may be lacking afterwards. Raises what cutting and embedding raise, and Conflict
        where the index or its collection is gone. What another model has embedded, before the collection changed to
        this one, is made anew.
        """
        model = await self._model(plan.embedding_key)
        async with self.database.transaction(scope) as connection:
            await connection.execute(_SQL["open_index"], plan.index_id, plan.collection_id, _LIVES)
            await connection.execute(
                _SQL["drop_other_vectors"], plan.collection_id, plan.index_id, plan.embedding_key
            )
        only = None if documents is None else list(documents)
        after = _FIRST
        while True:
            async with self.database.transaction(scope) as connection:
                rows = await connection.fetch(
                    _SQL["lacking"], plan.collection_id, plan.index_id, only, after, _AT_ONCE
                )
            if not rows:
                return
            await self._add(scope, plan, model, rows)
            await tell()
            after = rows[-1]["document_id"]

    async def _model(self, key: str) -> Embedder:
        return self._embedder if key == self._embedder.profile.key else await self._open_model(key)

    async def _add(self, scope: Scope, plan: Plan, model: Embedder, rows: Sequence[Any]) -> None:
        """Cut and embed some documents, and write those that are still what they were."""
        cut = {row["document_id"]: await self._cut(scope, plan, model, row) for row in rows}
        vectors = await self._vectors(scope, model, list(cut.values()))
        told = [[row[name] for row in rows] for name in ("document_id", "version", "written")]
        async with self.database.transaction(scope) as connection:
            if not await connection.fetchval(_SQL["touch_index"], plan.index_id, _LIVES):
                raise Conflict("The index that was being built is gone, with its collection or by its time.")
            held = await connection.fetch(_SQL["hold_texts"], *told, plan.index_id)
            await self._write(connection, scope, plan, [cut[row["document_id"]] for row in held], vectors)

    async def _cut(self, scope: Scope, plan: Plan, model: Embedder, row: Any) -> DocumentChunks:
        profile = chunking_profile({"chunking": plan.chunking}, model.profile.window_tokens)
        parsed = ParsedText(
            row["text"], load_structure(row["structure"]), None, row["media_type"] or "text/plain"
        )
        chunks = await self._cutter.cut(scope, parsed, profile)
        return DocumentChunks(plan.index_id, row["document_id"], row["version"], row["title"], chunks)

    async def _vectors(
        self, scope: Scope, model: Embedder, cut: Sequence[DocumentChunks]
    ) -> dict[UUID, Vectors]:
        """Vectors by content hash; those that are not there yet are made, and counted as the tenant's."""
        wanted = {content_hash(text): text for each in cut for text in each.searchable_texts()}
        key = model.profile.key
        async with self.database.transaction(scope) as connection:
            vectors = await self._store.known_vectors(connection, scope.tenant_id, key, list(wanted))
            lacking = [digest for digest in wanted if digest not in vectors]
            if lacking:
                allowed = await allowance(connection, self._limits, None)
                await check(connection, allowed, ["embedding_tokens_per_day"])
        for start in range(0, len(lacking), _SLICE):
            texts = [wanted[digest] for digest in lacking[start : start + _SLICE]]
            made = await model.embed_documents(texts)
            vectors |= dict(zip(lacking[start : start + _SLICE], made, strict=True))
            tokens = sum(len(model.token_offsets(text)) for text in texts)
            async with self.database.transaction(scope) as connection:
                await connection.execute("set local synchronous_commit = off")
                await spend(connection, "embedding_tokens", tokens)
        return vectors

    async def _write(
        self, connection: Connection, scope: Scope, plan: Plan, cut: Sequence[DocumentChunks],
        vectors: Mapping[UUID, Vectors],
    ) -> None:  # fmt: skip
        hashes = [content_hash(text) for each in cut for text in each.searchable_texts()]
        if hashes:
            stacked = np.stack([vectors[digest] for digest in hashes])
            await index_chunks(
                connection, self._store, scope.tenant_id, plan.embedding_key, cut, stacked, hashes
            )


async def drop_expired_indexes(database: Database, at_once: int = _DROPPED_AT_ONCE) -> int:
    """Remove the indexes whose time is up, a share at a time. Returns how many are gone."""
    async with database.system() as connection:
        expired = await connection.fetch("select * from expired_indexes($1)", 100)
    gone = 0
    for row in expired:
        scope = Scope(row["tenant_id"], "worker:indexes")
        while await _drop_share(database, scope, row["index_id"], at_once):
            pass
        gone += await _drop_empty(database, scope, row["index_id"])
    return gone


async def _drop_share(database: Database, scope: Scope, index_id: UUID, at_once: int) -> int:
    async with database.transaction(scope) as connection:
        if await connection.fetchval(_SQL["expired_index"], index_id) is None:
            return 0
        return int(await connection.fetchval(_SQL["drop_chunks"], index_id, at_once))


async def _drop_empty(database: Database, scope: Scope, index_id: UUID) -> bool:
    """Remove the index itself where none of its chunks is left; else it has another turn."""
    async with database.transaction(scope) as connection:
        if await connection.fetchval(_SQL["expired_index"], index_id) is None:
            return False
        if not await connection.fetchval(_SQL["index_is_empty"], index_id):
            return False
        await connection.execute(_SQL["drop_index"], index_id)
    return True
