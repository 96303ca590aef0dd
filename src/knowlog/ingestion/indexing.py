"""Index documents: bytes to text, to chunks, to vectors, and into the database in one transaction.

A batch of small documents travels together, because one transaction and one call of the embedding model for fifty
documents cost hardly more than for one. Whatever goes wrong with one of them is that one's own failure.
"""

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

import numpy as np
from opentelemetry import trace

from knowlog.bus import Event, LeaseLost, WorkerSettings, append_events, complete
from knowlog.chunking import LanguageModel
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.documents import BlobStore, dump_structure
from knowlog.embedding import Embedder, OpenModel, no_other
from knowlog.ingestion.cutting import Cutter
from knowlog.ingestion.parsing import Parser
from knowlog.ingestion.rows import chunking_profile
from knowlog.ingestion.states import give_up, set_states
from knowlog.ingestion.vectors import VectorMaker
from knowlog.ingestion.work import (
    Made,
    Outdated,
    Prepared,
    Source,
    has_all,
    ids_and_versions,
    indexed,
    is_current,
    prepared_of,
    source_of,
)
from knowlog.kernel.errors import KnowlogError, LimitReached, ParseFailed, Unavailable
from knowlog.stores import VectorStore, index_chunks, remove_chunks
from knowlog.tenants import LimitsSettings

_SQL = load_queries("knowlog.ingestion")
_TRACER = trace.get_tracer("knowlog")


class Indexer:
    """Handles `document.received`. Safe to be killed at any moment: nothing counts before the one transaction commits.

    While a collection changes from one model to another, what comes in is embedded by both: the one that answers now
    and the one that will. Either may fail; the rebuild makes up for what it missed.
    """

    def __init__(
        self, database: Database, blobs: BlobStore, parser: Parser, embedder: Embedder, store: VectorStore,
        settings: WorkerSettings, open_model: OpenModel = no_other, most_chunks: int = 20_000,
        limits: LimitsSettings | None = None, language: LanguageModel | None = None,
    ) -> None:  # fmt: skip
        limits = limits or LimitsSettings.model_validate({})
        self._cutter = Cutter(database, embedder, language, most_chunks, limits)
        self._vectors = VectorMaker(database, store, embedder, open_model, limits)
        self._database = database
        self._blobs = blobs
        self._parser = parser
        self._store = store
        self._settings = settings

    async def index(self, worker: str, events: Sequence[Event]) -> None:
        """Index the versions that the events speak of, tenant by tenant."""
        tenants: dict[UUID, list[Event]] = defaultdict(list)
        for event in events:
            tenants[event.tenant_id].append(event)
        for tenant_id, own in tenants.items():
            with _TRACER.start_as_current_span("index", attributes={"documents": len(own)}):
                await self._index(worker, Scope(tenant_id, f"worker:{worker}"), own)

    async def _index(self, worker: str, scope: Scope, events: Sequence[Event]) -> None:
        sources = await self._read(worker, scope, events)
        models = await self._vectors.models_for(sources)
        window = min(model.profile.window_tokens for model in models.values())
        prepared = [
            item
            for item in [await self._prepare(worker, scope, source, window) for source in sources]
            if item
        ]
        if prepared:
            await self._embed_and_write(worker, scope, prepared, models)

    async def _embed_and_write(
        self, worker: str, scope: Scope, prepared: Sequence[Prepared], models: dict[str, Embedder]
    ) -> None:
        try:
            vectors = await self._vectors.embed(scope, prepared, models)
        except Outdated:
            await self._let_go(worker, scope, prepared)
            return
        except LimitReached as error:
            for item in prepared:
                await self.give_up(worker, scope, item.source.event, error)
            return
        except KnowlogError as error:
            if not error.permanent:
                raise
            await self._embed_one_by_one(worker, scope, prepared, models, error)
            return
        try:
            await self._write(worker, scope, prepared, vectors)
        except Exception as error:
            await self._write_one_by_one(worker, scope, prepared, vectors, error)

    async def _read(self, worker: str, scope: Scope, events: Sequence[Event]) -> list[Source]:
        """Look up what to index. Events about versions that are gone or outdated are done with."""
        async with self._database.transaction(scope) as connection:
            rows = await connection.fetch(
                _SQL["read_sources"], [e.subject for e in events], [e.data["version"] for e in events]
            )
            current = {
                (row["document_id"], row["version"]): row for row in rows if row["latest"] == row["version"]
            }
            await set_states(connection, "parsing", events)
            sources = []
            for event in events:
                row = current.get((event.subject, event.data["version"]))
                if row is None:
                    with contextlib.suppress(LeaseLost):
                        await complete(connection, worker, [event])
                else:
                    sources.append(source_of(event, row))
        return sources

    async def _prepare(self, worker: str, scope: Scope, source: Source, window: int) -> Prepared | None:
        """Parse and cut one version; None when that failed, which is then recorded."""
        try:
            if source.event.attempts > self._settings.max_attempts:
                raise ParseFailed(
                    "Indexing this document ended its worker again and again. It may need too much memory."
                )
            content = await self._blobs.get(source.blob)
            with _TRACER.start_as_current_span("parse"):
                parsed = await self._parser.parse(content, source.filename, source.media_type)
            with _TRACER.start_as_current_span("chunk"):
                chunks = await self._cutter.cut(scope, parsed, chunking_profile(source.profile, window))
                return prepared_of(source, parsed, chunks)
        except Exception as error:
            await self.give_up(worker, scope, source.event, error)
            return None

    async def _write(self, worker: str, scope: Scope, prepared: Sequence[Prepared], vectors: Made) -> None:
        """Everything about these versions, in one transaction. Raises LeaseLost when one was taken over."""
        with _TRACER.start_as_current_span("write", attributes={"documents": len(prepared)}):
            async with self._database.transaction(scope) as connection:
                dropped = await self._write_in(connection, worker, scope, prepared, vectors)
        await self._blobs.delete(dropped)

    async def _write_in(
        self, connection: Connection, worker: str, scope: Scope, prepared: Sequence[Prepared],
        vectors: Made,
    ) -> list[str]:  # fmt: skip
        answering = await self._answering_keys(connection, prepared)
        locked = {
            row["document_id"]: row
            for row in await connection.fetch(
                _SQL["lock_documents"], [item.source.event.subject for item in prepared]
            )
        }
        await complete(connection, worker, [item.source.event for item in prepared])
        current = [item for item in prepared if is_current(item, locked)]
        if not current:
            return []
        ids, versions = ids_and_versions(current)
        await connection.execute(
            _SQL["store_text"], ids, versions, [item.parsed.text for item in current],
            [dump_structure(item.parsed.structure) for item in current], [item.parsed.media_type for item in current],
        )  # fmt: skip
        replaced = [
            item.source.event.subject for item in current if locked[item.source.event.subject]["version"]
        ]
        await remove_chunks(connection, self._store, scope.tenant_id, replaced)
        await self._index_chunks(connection, scope, current, vectors, answering)
        dropped = [row["blob"] for row in await connection.fetch(_SQL["drop_old_versions"], ids, versions)]
        titles, attempts = (
            [item.rows.title for item in current],
            [item.source.event.attempts for item in current],
        )
        cut_by = [item.source.chunking_version for item in current]
        await connection.execute(_SQL["switch_version"], ids, versions, titles, attempts, cut_by)
        await append_events(
            connection,
            "document.indexed",
            [(item.source.event.subject, indexed(item)) for item in current],
        )
        return dropped

    async def _answering_keys(self, connection: Connection, prepared: Sequence[Prepared]) -> dict[UUID, str]:
        """The key under which each collection answers, which does not change until this transaction ends.

        Locked before the documents, as a deletion of the collection does.
        """
        ids = list({item.source.collection_id for item in prepared})
        if any(item.source.answering_key is None for item in prepared):
            await connection.execute(_SQL["adopt_key"], ids, self._vectors.key)
        rows = await connection.fetch(_SQL["answering_keys"], ids)
        indexes = {row["collection_id"]: row["index_id"] for row in rows}
        if any(
            indexes.get(item.source.collection_id, item.source.index_id) != item.source.index_id
            for item in prepared
        ):
            raise Unavailable("The collection has just switched to another index. Try again.")
        return {row["collection_id"]: row["embedding_key"] for row in rows}

    async def _index_chunks(
        self, connection: Connection, scope: Scope, items: Sequence[Prepared], vectors: Made, answering: dict[UUID, str],
    ) -> None:  # fmt: skip
        """Write chunks with what vectors they have, those of the answering key and of the configured one."""
        groups: dict[tuple[str, ...], list[Prepared]] = defaultdict(list)
        for item in items:
            own = (answering[item.source.collection_id], self._vectors.key)
            groups[tuple(key for key in dict.fromkeys(own) if has_all(vectors, key, item))].append(item)
        for keys, group in groups.items():
            if not keys:
                raise Unavailable("The collection has just changed to another embedding model. Try again.")
            digests = [digest for item in group for digest in item.hashes]
            stacked = {key: np.stack([vectors[key][digest] for digest in digests]) for key in keys}
            await index_chunks(
                connection, self._store, scope.tenant_id, keys[0], [item.rows for item in group],
                stacked.pop(keys[0]), digests, stacked,
            )  # fmt: skip

    async def _embed_one_by_one(
        self,
        worker: str,
        scope: Scope,
        prepared: Sequence[Prepared],
        models: dict[str, Embedder],
        error: KnowlogError,
    ) -> None:
        """A model refuses what it was given for good: find out whose text it was."""
        if len(prepared) == 1:
            await self.give_up(worker, scope, prepared[0].source.event, error)
            return
        for item in prepared:
            await self._embed_and_write(worker, scope, [item], models)

    async def _write_one_by_one(
        self,
        worker: str,
        scope: Scope,
        prepared: Sequence[Prepared],
        vectors: Made,
        error: Exception,
    ) -> None:
        """The batch could not be written: find out whose fault it was."""
        for item in prepared:
            try:
                if len(prepared) == 1:
                    raise error
                await self._write(worker, scope, [item], vectors)
            except LeaseLost:
                continue
            except Exception as own:
                await self.give_up(worker, scope, item.source.event, own)

    async def _let_go(self, worker: str, scope: Scope, prepared: Sequence[Prepared]) -> None:
        """Be done with work whose result nobody wants."""
        async with self._database.transaction(scope) as connection:
            for item in prepared:
                with contextlib.suppress(LeaseLost):
                    await complete(connection, worker, [item.source.event])

    async def give_up(self, worker: str, scope: Scope, event: Event, error: Exception) -> None:
        """Record that an attempt failed, as `states.give_up` does."""
        await give_up(self._database, self._settings, worker, scope, event, error)
