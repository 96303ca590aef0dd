"""Both legs of a search, words and vectors, on one connection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from opentelemetry import trace

from knowlog.database import Connection, Scope, load_queries
from knowlog.kernel.errors import Unavailable
from knowlog.retrieval.dense import Asked, Embedding, Questions, join
from knowlog.retrieval.fusion import Fused, fuse
from knowlog.retrieval.model import Passage, Search
from knowlog.retrieval.passages import read_passages
from knowlog.retrieval.windows import Rank
from knowlog.retrieval.words import in_time
from knowlog.stores import (
    Filter,
    LexicalQuery,
    TermStatistics,
    VectorQuery,
    Vectors,
    VectorStore,
    both,
    lexical_scores,
    lexical_search,
    term_statistics,
    weigh_terms,
)

_SQL = load_queries("knowlog.retrieval")
_TRACER = trace.get_tracer("knowlog")
_SILENT = "Neither the search by words nor the embedding model answers at the moment. Try again in a moment."


@dataclass(frozen=True, slots=True)
class Candidates:
    """Chunks, those first that fit best, and what they were ranked by.

    `rank` ranks any chunks in the same way; None: by the two legs, for these words and vectors.
    """

    fused: list[Fused]
    statistics: TermStatistics
    questions: Questions
    rank: Rank | None = None


@dataclass(frozen=True, slots=True)
class Legs:
    """Both legs on one connection, within scope, collections and filter of one search.

    The collections of `wanted` are the indexes that answer for them.
    """

    connection: Connection
    scope: Scope
    store: VectorStore
    wanted: Search

    async def search(self, question: str, embedding: Embedding, narrowed: Filter | None = None) -> Candidates:
        """Look for a question, in documents that satisfy `narrowed` besides the search's own filter."""
        if narrowed is not None:
            wanted = replace(self.wanted, filter=both(self.wanted.filter, narrowed))
            return await replace(self, wanted=wanted).search(question, embedding)
        if not self.wanted.words:
            return await self._by_meaning(await embedding.questions())
        with _TRACER.start_as_current_span("lexical leg"):
            lexical, statistics = await in_time(self.scope.tenant_id, self._words, question)
        return await self._joined(lexical, statistics, await embedding.questions())

    async def again(self, statistics: TermStatistics, questions: Questions) -> Candidates:
        """Look for words that weigh so much, and for these vectors."""
        lexical = await in_time(self.scope.tenant_id, self._lexical, statistics)
        return await self._joined(lexical, statistics, questions)

    async def weigh(self, counts: Mapping[str, float]) -> TermStatistics:
        """Look up what the collections know of lexemes."""
        return await weigh_terms(self.connection, self.wanted.collections, counts)

    async def rank(
        self, statistics: TermStatistics, questions: Questions, chunk_ids: Sequence[int]
    ) -> list[Fused]:
        """Return some chunks in the order of both legs' scores, scaled among just these."""
        ids = list(chunk_ids)
        lexical = await lexical_scores(self.connection, statistics, ids) if self.wanted.words else {}
        return await self._ranked(_above_zero(lexical), questions, ids)

    async def with_vectors(self, found: Candidates, questions: Questions) -> Candidates:
        """Return what both legs found in the order of the same words and of these vectors; nothing is looked for."""
        if not found.fused:
            return found
        lexical = found.fused[0].ranked.scores("lexical")
        fused = await self._ranked(lexical, questions, [each.chunk_id for each in found.fused])
        return replace(found, fused=fused, questions=questions)

    async def vectors(self, questions: Questions, chunk_ids: Sequence[int]) -> list[dict[int, Vectors]]:
        """Return the vectors of chunks, for each model asked."""
        return [
            await self.store.vectors(
                self.connection, self.scope.tenant_id, self._query(asked, len(chunk_ids)), chunk_ids
            )
            for asked in questions.asked
        ]

    async def beside(self, chunk_ids: Sequence[int], reach: int, most: int) -> dict[UUID, list[int]]:
        """Return the chunks, `most` of them, that stand at most `reach` chunks before or behind these, themselves too, by
        document and in the order of the text.
        """
        found: dict[UUID, list[int]] = {}
        for row in await self.connection.fetch(_SQL["beside"], list(chunk_ids), reach, most):
            found.setdefault(row["document_id"], []).append(row["chunk_id"])
        return found

    async def show(self, candidates: Candidates, most: int) -> list[Passage]:
        """Return the best candidates as passages."""
        rank = candidates.rank or partial(self.rank, candidates.statistics, candidates.questions)
        return await read_passages(self.connection, candidates.fused, self.wanted.profile, rank, most)

    async def _words(self, question: str) -> tuple[dict[int, float], TermStatistics]:
        statistics = await term_statistics(self.connection, self.wanted.collections, question)
        return await self._lexical(statistics), statistics

    async def _by_meaning(self, questions: Questions) -> Candidates:
        if not questions.asked:
            raise Unavailable(_SILENT, retry_after_s=1)
        return await self._joined({}, TermStatistics((), 0), questions)

    async def _lexical(self, statistics: TermStatistics) -> dict[int, float]:
        wanted = self.wanted
        query = LexicalQuery(wanted.collections, wanted.depth, wanted.filter)
        return dict(await lexical_search(self.connection, statistics, query))

    async def _joined(
        self, lexical: dict[int, float], statistics: TermStatistics, questions: Questions
    ) -> Candidates:
        with _TRACER.start_as_current_span("dense leg"):
            dense = join([await self._dense(asked, list(lexical)) for asked in questions.asked])
        missing = [chunk_id for chunk_id in dense if chunk_id not in lexical]
        if missing and lexical:
            scores = await lexical_scores(self.connection, statistics, missing)
            lexical |= _above_zero(scores)
        silent = await self._within(questions.silent, list(lexical)) if dense else ()
        fused = fuse(dense, lexical, self.wanted.profile.dense_weight, silent)
        return Candidates(fused, statistics, questions)

    async def _ranked(
        self, lexical: Mapping[int, float], questions: Questions, ids: list[int]
    ) -> list[Fused]:
        dense = join([await self._score(asked, ids) for asked in questions.asked])
        silent = await self._within(questions.silent, ids) if dense else ()
        return fuse(dense, lexical, self.wanted.profile.dense_weight, silent)

    async def _dense(self, asked: Asked, found_by_words: list[int]) -> dict[int, float]:
        """The chunks nearest to a question, and how near those are that only the lexical leg found."""
        wanted = self.wanted
        query = VectorQuery(
            asked.collections, asked.model.profile.key, asked.vector, wanted.depth, wanted.filter,
            enough=wanted.enough,
        )  # fmt: skip
        dense = dict(await self.store.search(self.connection, self.scope.tenant_id, query))
        missing = [chunk_id for chunk_id in found_by_words if chunk_id not in dense]
        if missing and dense:
            dense |= await self.store.score(self.connection, self.scope.tenant_id, query, missing)
        return dense

    async def _score(self, asked: Asked, chunk_ids: list[int]) -> dict[int, float]:
        query = self._query(asked, len(chunk_ids))
        return await self.store.score(self.connection, self.scope.tenant_id, query, chunk_ids)

    def _query(self, asked: Asked, most: int) -> VectorQuery:
        return VectorQuery(asked.collections, asked.model.profile.key, asked.vector, most)

    async def _within(self, collections: tuple[UUID, ...], chunk_ids: list[int]) -> set[int]:
        """Those of some chunks that belong to some collections."""
        if not collections:
            return set()
        rows = await self.connection.fetch(_SQL["chunks_of"], chunk_ids, list(collections))
        return {row["chunk_id"] for row in rows}


def _above_zero(scores: Mapping[int, float]) -> dict[int, float]:
    return {chunk_id: score for chunk_id, score in scores.items() if score > 0}
