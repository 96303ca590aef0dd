"""Vectors made anew beside the old ones, for collections whose questions another model shall answer.

A collection answers under one embedding key. When the configured model has another, its chunks are embedded under
that key too, a slice at a time; then the collection switches in one transaction; then the old vectors are dropped.
Each step finds out by itself what is left of it: a killed worker costs the slice it was at, and several workers that
take the same collection do no more harm than doing the same work.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import numpy as np

from knowlog.bus import append_events
from knowlog.database import Database, Scope, load_queries
from knowlog.embedding import Embedder
from knowlog.ingestion.agreement import Agreement
from knowlog.ingestion.hashing import content_hash
from knowlog.kernel.errors import KnowlogError, foreseen
from knowlog.stores import VectorRow, Vectors, VectorStore, searchable_text
from knowlog.tenants import REBUILT, spend

_SQL = load_queries("knowlog.ingestion")
_LOG = logging.getLogger("knowlog.ingestion")
_PAGE = 1000
"""Chunk ids that are looked at together."""
_SLICE = 32
"""Texts that are embedded at a time: after each, fresh uploads have their turn."""
_DROPPED_AT_ONCE = 2000
_TURN_S = 30.0
"""After this long another collection has its turn."""
_LEASE_S = 30.0
_PUT_OFF_S = 30.0
_COURTESY_S = 5.0
"""Longest wait for uploads to be done before the next slice is embedded all the same."""
_MARKS = 2  # what models put before and after a text


@dataclass(frozen=True, slots=True)
class _Build:
    """A collection whose vectors are made anew, as this worker has claimed it: those of the index that answers."""

    scope: Scope
    collection_id: UUID


class _Lost(Exception):
    """The collection is gone, or another worker has taken it over."""


class Rebuilder:
    """Brings the vectors of all collections under the key of the configured model. `done` hears of each slice."""

    def __init__(
        self, database: Database, embedder: Embedder, store: VectorStore, worker: str,
        done: Callable[[int], object] = lambda _count: None, *, lease_s: float = _LEASE_S, turn_s: float = _TURN_S,
    ) -> None:  # fmt: skip
        self._database = database
        self.model = Agreement(database, embedder.profile.key)
        self._embedder = embedder
        self._store = store
        self._worker = worker
        self._done = done
        self._lease = timedelta(seconds=lease_s)
        self._turn_s = turn_s

    @property
    def _key(self) -> str:
        return self._embedder.profile.key

    async def rebuild(self) -> bool:
        """Work on the collection that has waited longest, for one turn. False when there is nothing to do, or while
        workers have different models.
        """
        if not await self.model.announce():
            return False
        build = await self._claim()
        if build is None:
            return False
        try:
            await self._work(build)
        except _Lost:
            _LOG.info("collection %s is rebuilt by another worker, or gone", build.collection_id)
        except KnowlogError as error:
            await self._put_off(build, error.detail)
        except Exception as error:
            await self._put_off(build, foreseen(error).detail)
            raise
        return True

    async def _claim(self) -> _Build | None:
        async with self._database.system() as connection:
            row = await connection.fetchrow(
                "select * from claim_embedding_build($1, $2, $3)", self._key, self._worker, self._lease
            )
        return row and _Build(Scope(row["tenant_id"], f"worker:{self._worker}"), row["collection_id"])

    async def _work(self, build: _Build) -> None:
        """One turn: embed what is missing; when nothing is, switch, drop what is left over, and be done."""
        until = monotonic() + self._turn_s
        if await self._begin_pass(build) and not await self._embed_missing(build, until):
            await self._release(build, 0)
        elif not await self._switch(build):
            await self._release(build, 1)  # something came meanwhile, or waits to be cut anew
        elif await self._drop_others(build, until):
            await self._finish(build)
        else:
            await self._release(build, 0)

    async def _begin_pass(self, build: _Build) -> bool:
        """Count what there is and what is done. False when nothing is missing."""
        async with self._database.transaction(build.scope) as connection:
            _, total, done = await self._counts(connection, build)
            return bool(await self._update(connection, "count_build", build, done, total)) and done < total

    async def _counts(self, connection: Any, build: _Build) -> tuple[UUID, int, int]:
        """The index that answers, how many chunks it has, and how many of them have a vector under the new key."""
        row = await connection.fetchrow(_SQL["count_chunks"], build.collection_id)
        index_id = row["index_id"] or build.collection_id  # none: it is being deleted
        done = await self._store.count(connection, build.scope.tenant_id, index_id, self._key)
        return index_id, row["chunks"], done

    async def _embed_missing(self, build: _Build, until: float) -> bool:
        """Embed page by page, at least a slice. False when time ran out before the last page."""
        while True:
            async with self._database.transaction(build.scope) as connection:
                found = await connection.fetch(_SQL["page_of_chunks"], build.collection_id, _PAGE)
                ids = [row["chunk_id"] for row in found]
                index_id = found[0]["index_id"] if found else build.collection_id
                held = await self._store.holding(connection, build.scope.tenant_id, index_id, self._key, ids)
            if not ids:
                return True
            missing = [each for each in ids if each not in held]
            for start in range(0, len(missing), _SLICE):
                await self._give_way()
                await self._embed_slice(build, missing[start : start + _SLICE])
                if monotonic() >= until:
                    return False
            async with self._database.transaction(build.scope) as connection:
                await self._update(connection, "advance_build", build, ids[-1])

    async def _give_way(self) -> None:
        """Let uploads that wait be indexed first, for a while."""
        until = monotonic() + _COURTESY_S
        while monotonic() < until:
            async with self._database.system() as connection:
                if not await connection.fetchval("select work_waits()"):
                    return
            await asyncio.sleep(0.25)

    async def _embed_slice(self, build: _Build, chunk_ids: Sequence[int]) -> None:
        async with self._database.transaction(build.scope) as connection:
            rows = await connection.fetch(_SQL["chunks_to_embed"], list(chunk_ids), build.collection_id)
        rows = await self._without_too_long(build, rows)
        texts = [searchable_text(row["title"], row["above"], row["text"]) for row in rows]
        hashes = [content_hash(text) for text in texts]
        vectors = await self._keeping_lease(build, self._vectors(build, texts, hashes)) if rows else {}
        async with self._database.transaction(build.scope) as connection:
            await _hold(connection, build)
            there = await connection.fetch(_SQL["hold_chunks"], [row["chunk_id"] for row in rows])
            alive = {row["chunk_id"] for row in there}
            kept = [
                (row, digest) for row, digest in zip(rows, hashes, strict=True) if row["chunk_id"] in alive
            ]
            if kept:
                await self._store.write(
                    connection, build.scope.tenant_id, self._key,
                    [_vector_row(row, digest) for row, digest in kept],
                    np.stack([vectors[digest] for _, digest in kept]),
                )  # fmt: skip
            await self._update(connection, "progress_build", build, len(kept))
        self._done(len(kept))

    async def _vectors(
        self, build: _Build, texts: Sequence[str], hashes: Sequence[UUID]
    ) -> dict[UUID, Vectors]:
        """Vectors by content hash. What the tenant has under the new key already is not embedded again."""
        async with self._database.transaction(build.scope) as connection:
            known = await self._store.known_vectors(
                connection, build.scope.tenant_id, self._key, list(hashes)
            )
        missing = {digest: text for digest, text in zip(hashes, texts, strict=True) if digest not in known}
        if not missing:
            return known
        made = await self._embedder.embed_documents(list(missing.values()))
        await self._count_tokens(build, list(missing.values()))
        return known | dict(zip(missing, made, strict=True))

    async def _count_tokens(self, build: _Build, texts: Sequence[str]) -> None:
        tokens = await asyncio.to_thread(
            lambda: sum(len(self._embedder.token_offsets(text)) for text in texts)
        )
        async with self._database.transaction(build.scope) as connection:
            await connection.execute("set local synchronous_commit = off")
            await spend(connection, REBUILT, tokens)

    async def _keeping_lease(
        self, build: _Build, work: Awaitable[dict[UUID, Vectors]]
    ) -> dict[UUID, Vectors]:
        """Wait for the work and prolong the lease meanwhile: an endpoint may take its time."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait([task], timeout=self._lease.total_seconds() / 3))[0]:
                async with self._database.transaction(build.scope) as connection:
                    await self._update(connection, "progress_build", build, 0)
            return await task
        finally:
            task.cancel()

    async def _without_too_long(self, build: _Build, rows: Sequence[Any]) -> Sequence[Any]:
        """Leave out chunks that the new model would cut off; their documents are indexed anew.

        Unless that was tried in this rebuild already: then what fits of a chunk has to do.
        """
        most = self._embedder.profile.window_tokens - _MARKS
        long = await asyncio.to_thread(
            lambda: {
                row["document_id"] for row in rows if len(self._embedder.token_offsets(row["text"])) > most
            }
        )
        if not long:
            return rows
        waiting = await self._index_anew(build, list(long))
        return [row for row in rows if row["document_id"] not in waiting]

    async def _index_anew(self, build: _Build, documents: Sequence[UUID]) -> set[UUID]:
        """Queue documents that were not since this rebuild began. Returns those that wait to be indexed."""
        async with self._database.transaction(build.scope) as connection:
            await _hold(connection, build)
            found = await connection.fetch(_SQL["indexing_since"], documents, build.collection_id)
            fresh = [row for row in found if row["state"] is None]
            await append_events(connection, "document.received", [_received(build, row) for row in fresh])
        return {row["document_id"] for row in found if row["state"] in (None, "waiting", "running")}

    async def _switch(self, build: _Build) -> bool:
        """Let the new key answer, if no chunk lacks a vector. Indexers wait meanwhile, questions do not."""
        async with self._database.transaction(build.scope) as connection:
            old = await connection.fetchrow(_SQL["lock_collection"], build.collection_id)
            if old is None:
                raise _Lost
            _, total, done = await self._counts(connection, build)
            if done < total:
                await self._update(connection, "restart_pass", build)
                return False
            await self._update(connection, "switch_build", build)
            await connection.execute(_SQL["switch_collection"], build.collection_id, self._key)
        if old["embedding_key"] != self._key:
            _LOG.info("collection %s answers with %s now", build.collection_id, self._key)
        return True

    async def _drop_others(self, build: _Build, until: float) -> bool:
        """Drop vectors under other keys. Questions that began before the switch still see them."""
        while True:
            async with self._database.transaction(build.scope) as connection:
                await _hold(connection, build)
                await self._update(connection, "progress_build", build, 0)
                index_id = await connection.fetchval(_SQL["live_index"], build.collection_id)
                dropped = await self._store.drop_others(
                    connection, build.scope.tenant_id, index_id, self._key, _DROPPED_AT_ONCE
                )
            if not dropped:
                return True
            if monotonic() >= until:
                return False

    async def _finish(self, build: _Build) -> None:
        async with self._database.transaction(build.scope) as connection:
            await connection.execute(_SQL["finish_build"], build.collection_id, self._worker)

    async def _release(self, build: _Build, pause_s: float, reason: str | None = None) -> None:
        """Hand the collection back; it is claimed again after the pause."""
        async with self._database.transaction(build.scope) as connection:
            await connection.execute(
                _SQL["release_build"], build.collection_id, self._worker, timedelta(seconds=pause_s), reason
            )

    async def _put_off(self, build: _Build, reason: str) -> None:
        """Try again later. The old vectors go on answering."""
        _LOG.warning("collection %s cannot be embedded for %s: %s", build.collection_id, self._key, reason)
        await self._release(build, _PUT_OFF_S, reason)

    async def _update(self, connection: Any, query: str, build: _Build, *values: object) -> Any:
        """Note progress, which prolongs the lease. Raises _Lost when the collection is no longer this worker's."""
        found = await connection.fetchval(
            _SQL[query], build.collection_id, self._worker, self._lease, *values
        )
        if found is None:
            raise _Lost
        return found


async def _hold(connection: Any, build: _Build) -> None:
    """Keep the collection from being deleted meanwhile. Raises _Lost when it is gone."""
    if await connection.fetchval(_SQL["hold_collection"], build.collection_id) is None:
        raise _Lost


def _received(build: _Build, row: Any) -> tuple[UUID, dict[str, Any]]:
    data = {"collection_id": build.collection_id, "version": row["latest"], "size_bytes": row["size_bytes"]}
    return row["document_id"], data


def _vector_row(row: Any, digest: UUID) -> VectorRow:
    return VectorRow(row["chunk_id"], row["index_id"], row["document_id"], digest, row["metadata"])
