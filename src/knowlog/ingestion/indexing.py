"""Index documents: bytes to text, to chunks, to vectors, and into the database in one transaction.

A batch of small documents travels together, because one transaction and one call of the embedding model for fifty
documents cost hardly more than for one. Whatever goes wrong with one of them is that one's own failure.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import numpy as np
from opentelemetry import trace

from knowlog.bus import (
    Event,
    LeaseLost,
    WorkerSettings,
    append_events,
    complete,
    fail,
    notify_progress,
    put_off,
)
from knowlog.chunking import LanguageModel, Span
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.documents import BlobStore, ParsedText, dump_structure
from knowlog.embedding import Embedder, OpenModel, no_other
from knowlog.ingestion.cutting import Cutter
from knowlog.ingestion.hashing import content_hash
from knowlog.ingestion.parsing import Parser
from knowlog.ingestion.rows import chunking_profile, rows_of
from knowlog.kernel import now
from knowlog.kernel.errors import InternalError, KnowlogError, LimitReached, ParseFailed, Unavailable
from knowlog.stores import DocumentChunks, Vectors, VectorStore, index_chunks, remove_chunks
from knowlog.tenants import LimitsSettings, allowance, check, spend

_SQL = load_queries("knowlog.ingestion")
_LOG = logging.getLogger("knowlog.ingestion")
_TRACER = trace.get_tracer("knowlog")
_SLICE = 64
"""Texts that are embedded at a time: between two slices others have their turn, and a deletion is noticed."""
_REST_S = 60.0
"""A model that failed, where another makes a document findable, is left alone for so long."""

Made = dict[str, dict[UUID, Vectors]]
"""Vectors by embedding key and content hash."""

_CARRIED = {"collection_id", "version"}
"""What `document.failed` repeats of the event that it answers."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A version that is to be indexed, as the database describes it."""

    event: Event
    version: int
    collection_id: UUID
    profile: dict[str, Any]
    title: str
    title_given: bool
    blob: str
    filename: str
    media_type: str | None
    chunking_version: int
    answering_key: str | None
    """The key under which its collection answers; None before anything is embedded there."""
    index_id: UUID
    """The index that answers for its collection."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A version that has been read and cut, ready to be embedded and written."""

    source: _Source
    parsed: ParsedText
    rows: DocumentChunks
    hashes: tuple[UUID, ...]
    tokens: tuple[int, ...]

    def texts(self) -> Iterator[tuple[UUID, str]]:
        """What is embedded of it, by content hash."""
        return zip(self.hashes, self.rows.searchable_texts(), strict=True)


class _Outdated(Exception):
    """What was being indexed has been deleted or replaced."""


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
        self._limits = limits or LimitsSettings.model_validate({})
        self._cutter = Cutter(database, embedder, language, most_chunks, self._limits)
        self._open_model = open_model
        self._resting: dict[str, float] = {}
        self._database = database
        self._blobs = blobs
        self._parser = parser
        self._embedder = embedder
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
        models = await self._models(sources)
        window = min(model.profile.window_tokens for model in models.values())
        prepared = [
            item
            for item in [await self._prepare(worker, scope, source, window) for source in sources]
            if item
        ]
        if not prepared:
            return
        try:
            vectors = await self._embed(scope, prepared, models)
        except _Outdated:
            await self._let_go(worker, scope, prepared)
            return
        except LimitReached as error:
            for item in prepared:
                await self.give_up(worker, scope, item.source.event, error)
            return
        try:
            await self._write(worker, scope, prepared, vectors)
        except Exception as error:
            await self._write_one_by_one(worker, scope, prepared, vectors, error)

    async def _read(self, worker: str, scope: Scope, events: Sequence[Event]) -> list[_Source]:
        """Look up what to index. Events about versions that are gone or outdated are done with."""
        async with self._database.transaction(scope) as connection:
            rows = await connection.fetch(
                _SQL["read_sources"], [e.subject for e in events], [e.data["version"] for e in events]
            )
            current = {
                (row["document_id"], row["version"]): row for row in rows if row["latest"] == row["version"]
            }
            await self._set_states(connection, "parsing", events)
            sources = []
            for event in events:
                row = current.get((event.subject, event.data["version"]))
                if row is None:
                    with contextlib.suppress(LeaseLost):
                        await complete(connection, worker, [event])
                else:
                    sources.append(_source(event, row))
        return sources

    async def _models(self, sources: Sequence[_Source]) -> dict[str, Embedder]:
        """The models by which these are embedded: the configured one, and older ones that answer still."""
        models = {self._key: self._embedder}
        for key in {source.answering_key for source in sources if source.answering_key}:
            if key not in models and not self._rests(key):
                try:
                    models[key] = await self._open_model(key)
                except KnowlogError as error:
                    self._let_rest(key, error)
        return models

    @property
    def _key(self) -> str:
        return self._embedder.profile.key

    def _rests(self, key: str) -> bool:
        return monotonic() < self._resting.get(key, 0.0)

    def _let_rest(self, key: str, error: KnowlogError) -> None:
        self._resting[key] = monotonic() + _REST_S
        _LOG.warning("nothing is embedded for %s for %.0f s: %s", key, _REST_S, error.detail)

    async def _prepare(self, worker: str, scope: Scope, source: _Source, window: int) -> _Prepared | None:
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
                spans = await self._cutter.cut(scope, parsed, chunking_profile(source.profile, window))
                return await asyncio.to_thread(_prepared, source, parsed, spans)
        except Exception as error:
            await self.give_up(worker, scope, source.event, error)
            return None

    async def _embed(self, scope: Scope, prepared: Sequence[_Prepared], models: dict[str, Embedder]) -> Made:
        """Make the vectors of each document, by the model that answers for it and by the configured one.

        One of the two may fail. Raises what the configured one raised where a document has no vectors at all, and
        LimitReached when the tenant has had embedded what it may in a day.
        """
        async with self._database.transaction(scope) as connection:
            allowed = await allowance(connection, self._limits, None)
            await check(connection, allowed, ["embedding_tokens_per_day"])
            await self._set_states(connection, "embedding", [item.source.event for item in prepared])
        made: Made = {}
        for key, model in models.items():
            if key == self._key:
                continue
            items = [item for item in prepared if item.source.answering_key == key]
            try:
                made[key] = await self._vectors(scope, items, model)
            except KnowlogError as error:
                self._let_rest(key, error)
        suffices = all(item.source.answering_key in made for item in prepared)
        if suffices and self._rests(self._key):
            return made
        try:
            made[self._key] = await self._vectors(scope, prepared, self._embedder)
        except KnowlogError as error:
            if not suffices:
                raise
            self._let_rest(self._key, error)
        return made

    async def _vectors(
        self, scope: Scope, prepared: Sequence[_Prepared], model: Embedder
    ) -> dict[UUID, Vectors]:
        """Vectors by content hash. A text that this tenant has had embedded before is not embedded again."""
        wanted = {digest: text for item in prepared for digest, text in item.texts()}
        async with self._database.transaction(scope) as connection:
            known = await self._store.known_vectors(
                connection, scope.tenant_id, model.profile.key, list(wanted)
            )
        missing = [digest for digest in wanted if digest not in known]
        vectors = dict(known)
        with _TRACER.start_as_current_span("embed", attributes={"chunks": len(missing)}):
            for start in range(0, len(missing), _SLICE):
                if start:
                    await self._require_current(scope, prepared, vectors.keys())
                digests = missing[start : start + _SLICE]
                made = await model.embed_documents([wanted[digest] for digest in digests])
                vectors |= dict(zip(digests, made, strict=True))
        await self._count_tokens(scope, prepared, missing)
        return vectors

    async def _count_tokens(
        self, scope: Scope, prepared: Sequence[_Prepared], embedded: Sequence[UUID]
    ) -> None:
        """Count the tokens of texts that were embedded just now."""
        if not embedded:
            return
        tokens = dict(pair for item in prepared for pair in zip(item.hashes, item.tokens, strict=True))
        async with self._database.transaction(scope) as connection:
            await connection.execute("set local synchronous_commit = off")
            await spend(connection, "embedding_tokens", sum(tokens[digest] for digest in embedded))

    async def _require_current(
        self, scope: Scope, prepared: Sequence[_Prepared], done: Collection[UUID]
    ) -> None:
        """Raise _Outdated when every one of the documents was deleted or replaced meanwhile; tell how far they are."""
        ids, versions = _ids_and_versions(prepared)
        async with self._database.transaction(scope) as connection:
            if not await connection.fetchval(_SQL["any_current"], ids, versions):
                raise _Outdated
            for item in prepared:
                counts = sum(digest in done for digest in item.hashes), len(item.hashes)
                await notify_progress(connection, scope.tenant_id, item.source.event.subject, counts)

    async def _write(self, worker: str, scope: Scope, prepared: Sequence[_Prepared], vectors: Made) -> None:
        """Everything about these versions, in one transaction. Raises LeaseLost when one was taken over."""
        with _TRACER.start_as_current_span("write", attributes={"documents": len(prepared)}):
            async with self._database.transaction(scope) as connection:
                dropped = await self._write_in(connection, worker, scope, prepared, vectors)
        await self._blobs.delete(dropped)

    async def _write_in(
        self, connection: Connection, worker: str, scope: Scope, prepared: Sequence[_Prepared],
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
        current = [item for item in prepared if _is_current(item, locked)]
        if not current:
            return []
        ids, versions = _ids_and_versions(current)
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
            connection, "document.indexed", [(item.source.event.subject, _indexed(item)) for item in current]
        )
        return dropped

    async def _answering_keys(self, connection: Connection, prepared: Sequence[_Prepared]) -> dict[UUID, str]:
        """The key under which each collection answers, which does not change until this transaction ends.

        Locked before the documents, as a deletion of the collection does.
        """
        ids = list({item.source.collection_id for item in prepared})
        if any(item.source.answering_key is None for item in prepared):
            await connection.execute(_SQL["adopt_key"], ids, self._key)
        rows = await connection.fetch(_SQL["answering_keys"], ids)
        indexes = {row["collection_id"]: row["index_id"] for row in rows}
        if any(
            indexes.get(item.source.collection_id, item.source.index_id) != item.source.index_id
            for item in prepared
        ):
            raise Unavailable("The collection has just switched to another index. Try again.")
        return {row["collection_id"]: row["embedding_key"] for row in rows}

    async def _index_chunks(
        self, connection: Connection, scope: Scope, items: Sequence[_Prepared], vectors: Made, answering: dict[UUID, str],
    ) -> None:  # fmt: skip
        """Write chunks with what vectors they have, those of the answering key and of the configured one."""
        groups: dict[tuple[str, ...], list[_Prepared]] = defaultdict(list)
        for item in items:
            own = (answering[item.source.collection_id], self._key)
            groups[tuple(key for key in dict.fromkeys(own) if _has_all(vectors, key, item))].append(item)
        for keys, group in groups.items():
            if not keys:
                raise Unavailable("The collection has just changed to another embedding model. Try again.")
            digests = [digest for item in group for digest in item.hashes]
            stacked = {key: np.stack([vectors[key][digest] for digest in digests]) for key in keys}
            await index_chunks(
                connection, self._store, scope.tenant_id, keys[0], [item.rows for item in group],
                stacked.pop(keys[0]), digests, stacked,
            )  # fmt: skip

    async def _write_one_by_one(
        self,
        worker: str,
        scope: Scope,
        prepared: Sequence[_Prepared],
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

    async def _let_go(self, worker: str, scope: Scope, prepared: Sequence[_Prepared]) -> None:
        """Be done with work whose result nobody wants."""
        async with self._database.transaction(scope) as connection:
            for item in prepared:
                with contextlib.suppress(LeaseLost):
                    await complete(connection, worker, [item.source.event])

    async def give_up(self, worker: str, scope: Scope, event: Event, error: Exception) -> None:
        """Record that an attempt failed: for good if trying again cannot help, else until later. One that a limit of the
        tenant has stopped waits for the limit's end, and does not count.
        """
        if isinstance(error, LimitReached):
            await self._put_off(worker, scope, event, error)
            return
        known = (
            error
            if isinstance(error, KnowlogError)
            else InternalError(f"An unexpected fault: {error!r:.300}")
        )
        final = known.permanent or event.attempts >= self._settings.max_attempts
        delay = None if final else self._settings.wait_s(event.attempts)
        try:
            async with self._database.transaction(scope) as connection:
                await connection.execute(
                    _SQL["lock_documents"], [event.subject]
                )  # before its event, as everywhere
                await fail(connection, worker, event, known.detail, delay)
                state = "failed" if final else "received"
                await connection.execute(
                    _SQL["fail_document"],
                    event.subject,
                    event.data["version"],
                    state,
                    known.detail,
                    event.attempts,
                )
                if final:
                    said = {name: event.data[name] for name in _CARRIED & event.data.keys()}
                    data = {**said, "reason": known.detail}
                    await append_events(connection, "document.failed", [(event.subject, data)])
        except LeaseLost:
            return

    async def _put_off(self, worker: str, scope: Scope, event: Event, error: LimitReached) -> None:
        until = now() + timedelta(seconds=error.extra.get("retry_after_s", 60))
        number = event.attempts - 1
        async with self._database.transaction(scope) as connection:
            await connection.execute(_SQL["lock_documents"], [event.subject])
            await put_off(connection, worker, event, until)
            told = (event.subject, event.data["version"], "received", error.detail, number)
            await connection.execute(_SQL["fail_document"], *told)

    async def _set_states(self, connection: Connection, state: str, events: Sequence[Event]) -> None:
        # Progress may be lost in a crash, so it need not wait for the disk.
        await connection.execute("set local synchronous_commit = off")
        await connection.execute(
            _SQL["set_states"], [e.subject for e in events], [e.data["version"] for e in events], state,
            [e.attempts for e in events],
        )  # fmt: skip


def _indexed(item: _Prepared) -> dict[str, Any]:
    source = item.source
    return {
        "collection_id": source.collection_id,
        "version": source.version,
        "chunks": len(item.hashes),
    }


def _source(event: Event, row: Any) -> _Source:
    return _Source(
        event, row["version"], row["collection_id"], row["profile"], row["title"], row["title_given"], row["blob"],
        row["filename"], row["media_type"], row["chunking_version"], row["embedding_key"], row["index_id"],
    )  # fmt: skip


def _prepared(source: _Source, parsed: ParsedText, spans: Sequence[Span]) -> _Prepared:
    title = source.title if source.title_given or not parsed.title else parsed.title[:1000]
    chunks = DocumentChunks(
        source.index_id, source.event.subject, source.version, title, rows_of(spans, parsed)
    )
    hashes = tuple(content_hash(text) for text in chunks.searchable_texts())
    return _Prepared(source, parsed, chunks, hashes, tuple(span.token_count for span in spans))


def _ids_and_versions(items: Sequence[_Prepared]) -> tuple[list[UUID], list[int]]:
    return [item.source.event.subject for item in items], [item.source.version for item in items]


def _is_current(item: _Prepared, locked: dict[UUID, Any]) -> bool:
    row = locked.get(item.source.event.subject)
    return row is not None and row["latest"] == item.source.version


def _has_all(vectors: Made, key: str, item: _Prepared) -> bool:
    made = vectors.get(key, {})
    return all(digest in made for digest in item.hashes)
