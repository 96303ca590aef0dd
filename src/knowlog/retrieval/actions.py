"""Question in, passages out: both legs inside one scope, fused, and the best ones fetched, as a pattern has it."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from opentelemetry import trace

from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.documents import Answering, PageStart, Section
from knowlog.embedding import Embedder, OpenModel, no_other
from knowlog.kernel.errors import Invalid, LimitReached, Misconfigured, NotFound, Unavailable
from knowlog.resilience import remaining_s, within
from knowlog.retrieval.dense import Asked, Embedding, Questions, join
from knowlog.retrieval.fusion import Fused, fuse
from knowlog.retrieval.looking import Candidates, Looking
from knowlog.retrieval.model import Passage, Retrieved, joined
from knowlog.retrieval.patterns import Pattern, open_pattern
from knowlog.retrieval.port import Reranker, Writer
from knowlog.retrieval.reranking import reranked
from knowlog.retrieval.settings import RetrievalProfile
from knowlog.retrieval.standalone import stand_alone
from knowlog.retrieval.windows import Rank, Window, windows
from knowlog.retrieval.words import WITHOUT_WORDS, WordsTooSlow, in_time
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
_LOG = logging.getLogger("knowlog.retrieval")
_WITHOUT_MODEL = (
    "The language model of the pattern {} does not answer at the moment: the plain search was used."
)
_SILENT = "Neither the search by words nor the embedding model answers at the moment. Try again in a moment."
_LONGEST_QUESTION = 4000
_MOST = 1000
_PATTERN_SHARE = 0.5
"""Of the time that is left, so much is a pattern's that asks a language model; the plain search has the rest."""
_DEFAULT = RetrievalProfile()


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked: the question, where, how many passages, and of which documents.

    `answering` are the indexes that answer for the collections, looked up where the caller has not seen them. `pattern`:
    None for the profile's. `words`: whether the lexical leg is asked.
    """

    question: str
    collections: tuple[UUID, ...]
    limit: int = 10
    filter: Filter | None = None
    profile: RetrievalProfile = _DEFAULT
    answering: Mapping[UUID, Answering] | None = None
    pattern: str | None = None
    words: bool = True

    @property
    def depth(self) -> int:
        """How many chunks each leg contributes."""
        return max(self.profile.depth, self.limit)

    @property
    def enough(self) -> int:
        """How many the dense leg contributes at least, where that costs more than usual."""
        return max(self.limit, self.depth // 2)


async def retrieve(
    database: Database,
    scope: Scope,
    embedder: Embedder,
    store: VectorStore,
    search: Search,
    reranker: Reranker | None = None,
    open_model: OpenModel = no_other,
    writer: Writer | None = None,
    history: Sequence[str] = (),
) -> Retrieved:
    """Find the passages that fit a question best.

    The question is embedded while the database looks for its words: by `embedder`, and by what `open_model` opens for
    collections whose vectors are another model's. A model that does not answer costs the dense leg only, which
    `degraded` then says. Raises Invalid, and NotFound for a collection outside the scope.
    """

    async def as_it_is(_connection: Connection) -> Search:
        return search

    return await retrieve_resolved(
        database, scope, embedder, store, search.question, as_it_is, reranker, open_model, writer, history
    )


async def retrieve_resolved(
    database: Database,
    scope: Scope,
    embedder: Embedder,
    store: VectorStore,
    question: str,
    resolve: Callable[[Connection], Awaitable[Search]],
    reranker: Reranker | None = None,
    open_model: OpenModel = no_other,
    writer: Writer | None = None,
    history: Sequence[str] = (),
) -> Retrieved:
    """As `retrieve`, for a caller who must ask the database what to search.

    `resolve` is called in the search's own transaction, while the question is being embedded. All of a search sees the
    database as it was at one moment: a collection that changes its model meanwhile is seen before or after it. A pattern
    that asks a language model has a moment for each look, so that nothing is held while the model writes. Where the
    search by words takes too long, everything begins again without it. `history` are the questions before this one, the
    oldest first: what it leans on is carried over.
    """
    _check_question(question)
    given = (reranker, open_model, writer, history)
    try:
        return await _retrieve(database, scope, embedder, store, question, resolve, *given)
    except WordsTooSlow as error:
        _LOG.info("a search goes on without words: %s", error.detail)

    async def without_words(connection: Connection) -> Search:
        return replace(await resolve(connection), words=False, pattern="hybrid")

    return await _retrieve(database, scope, embedder, store, question, without_words, *given)


async def _retrieve(
    database: Database,
    scope: Scope,
    embedder: Embedder,
    store: VectorStore,
    question: str,
    resolve: Callable[[Connection], Awaitable[Search]],
    reranker: Reranker | None,
    open_model: OpenModel,
    writer: Writer | None,
    history: Sequence[str],
) -> Retrieved:
    asked, question = question, stand_alone(question, history)[:_LONGEST_QUESTION]
    embedding = Embedding(question, embedder, open_model)
    depth = reranker.depth if reranker else 0
    try:
        async with database.snapshot(scope) as connection:
            search = await resolve(connection)
            _check(scope, search)
            indexes = {each.index_id: each.embedding_key for each in await _answering(connection, search)}
            embedding.choose(indexes)
            pattern = open_pattern(search.pattern or search.profile.pattern, writer)
            indexed = replace(search, collections=tuple(indexes))
            looking = Looking(
                question, search.profile, database, scope,
                lambda held: _Legs(held, scope, store, indexed),
                _embed(embedding, question, indexes, embedder, open_model),
                writer, connection, history, asked,
            )  # fmt: skip
            if question != asked:
                looking.did("carried over what the question leans on", question=question)
            waits = pattern.needs_llm or _asks_by_itself(pattern, looking)
            if waits:
                looking.held = None
            else:
                found = await pattern.find(looking)
                passages = await looking.show(found, max(search.limit, depth))
        if waits:
            pattern, found = await _by_model(pattern, looking)
            passages = await looking.show(found, max(search.limit, depth))
    finally:
        embedding.stop()
    if not search.words:
        looking.left_out["lexical"] = WITHOUT_WORDS
    if reranker:
        passages = await reranked(reranker, search.question, passages, looking.left_out)
    return _retrieved(pattern, looking, found, passages[: search.limit])


def _asks_by_itself(pattern: Pattern, looking: Looking) -> bool:
    """Whether a pattern that can do without a language model asks the one that there is."""
    return pattern.name == "conversational" and bool(looking.history) and looking.writer is not None


async def _by_model(pattern: Pattern, looking: Looking) -> tuple[Pattern, Candidates]:
    """What a pattern finds with its language model; where that does not answer, what the plain search does."""
    left_s = remaining_s()
    try:
        with within(None if left_s is None else left_s * _PATTERN_SHARE):
            return pattern, await pattern.find(looking)
    except WordsTooSlow:
        raise
    except (LimitReached, Misconfigured, Unavailable) as error:
        _LOG.info("the pattern %s went without its language model: %s", pattern.name, error.detail)
        looking.left_out["llm"] = _WITHOUT_MODEL.format(pattern.name)
        return open_pattern("hybrid"), await looking.find()


def _embed(
    begun: Embedding,
    question: str,
    keys: Mapping[UUID, str | None],
    embedder: Embedder,
    open_model: OpenModel,
) -> Callable[[str], Embedding]:
    """How a pattern has questions embedded. The one that was asked is being embedded already."""

    def embed(text: str) -> Embedding:
        if text == question:
            return begun
        other = Embedding(text, embedder, open_model)
        other.choose(keys)
        return other

    return embed


def _retrieved(
    pattern: Pattern, looking: Looking, found: Candidates, passages: Sequence[Passage]
) -> Retrieved:
    tokens = sum(
        len(asked.model.token_offsets(text))
        for text, questions in looking.embedded.items()
        for asked in questions.asked
    )
    tokens += looking.read_tokens
    questions = found.questions
    degraded = (*(("dense",) if questions.silent else ()), *looking.left_out)
    return Retrieved(
        tuple(passages),
        found.statistics,
        degraded,
        (*questions.notes, *looking.left_out.values()),
        questions.asked[0].model if len(questions.asked) == 1 else None,
        tokens,
        pattern.name,
        tuple(looking.steps),
        looking.calls,
        looking.written_tokens,
        looking.question,
    )


async def _answering(connection: Connection, search: Search) -> Sequence[Answering]:
    if search.answering is not None:
        return [search.answering[each] for each in search.collections]
    rows = await connection.fetch(_SQL["answering"], list(search.collections))
    return [Answering(row["index_id"], row["embedding_key"]) for row in rows]


@dataclass(frozen=True, slots=True)
class _Legs:
    """Both legs of one search, on one connection. The collections of `wanted` are the indexes that answer for them."""

    connection: Connection
    scope: Scope
    store: VectorStore
    wanted: Search

    async def search(self, question: str, embedding: Embedding, narrowed: Filter | None = None) -> Candidates:
        """See Legs."""
        if narrowed is not None:
            wanted = replace(self.wanted, filter=both(self.wanted.filter, narrowed))
            return await replace(self, wanted=wanted).search(question, embedding)
        if not self.wanted.words:
            return await self._by_meaning(await embedding.questions())
        with _TRACER.start_as_current_span("lexical leg"):
            lexical, statistics = await in_time(self.scope.tenant_id, self._words, question)
        return await self._joined(lexical, statistics, await embedding.questions())

    async def _words(self, question: str) -> tuple[dict[int, float], TermStatistics]:
        statistics = await term_statistics(self.connection, self.wanted.collections, question)
        return await self._lexical(statistics), statistics

    async def _by_meaning(self, questions: Questions) -> Candidates:
        if not questions.asked:
            raise Unavailable(_SILENT, retry_after_s=1)
        return await self._joined({}, TermStatistics((), 0), questions)

    async def again(self, statistics: TermStatistics, questions: Questions) -> Candidates:
        """See Legs."""
        lexical = await in_time(self.scope.tenant_id, self._lexical, statistics)
        return await self._joined(lexical, statistics, questions)

    async def weigh(self, counts: Mapping[str, float]) -> TermStatistics:
        """See Legs."""
        return await weigh_terms(self.connection, self.wanted.collections, counts)

    async def vectors(self, questions: Questions, chunk_ids: Sequence[int]) -> list[dict[int, Vectors]]:
        """See Legs."""
        return [
            await self.store.vectors(
                self.connection, self.scope.tenant_id, self._query(asked, len(chunk_ids)), chunk_ids
            )
            for asked in questions.asked
        ]

    async def beside(self, chunk_ids: Sequence[int], reach: int, most: int) -> dict[UUID, list[int]]:
        """See Legs."""
        found: dict[UUID, list[int]] = {}
        for row in await self.connection.fetch(_SQL["beside"], list(chunk_ids), reach, most):
            found.setdefault(row["document_id"], []).append(row["chunk_id"])
        return found

    async def show(self, candidates: Candidates, most: int) -> list[Passage]:
        """See Legs."""
        rank = candidates.rank or partial(self.rank, candidates.statistics, candidates.questions)
        return await _fetch(self.connection, candidates.fused, self.wanted, rank, most)

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

    async def rank(
        self, statistics: TermStatistics, questions: Questions, chunk_ids: Sequence[int]
    ) -> list[Fused]:
        """Some chunks in the order of both legs' scores, scaled among just these."""
        ids, wanted = list(chunk_ids), self.wanted
        lexical = await lexical_scores(self.connection, statistics, ids) if wanted.words else {}
        dense = join([await self._score(asked, ids) for asked in questions.asked])
        silent = await self._within(questions.silent, ids) if dense else ()
        return fuse(dense, _above_zero(lexical), wanted.profile.dense_weight, silent)

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


def _check_question(question: str) -> None:
    if not question.strip():
        raise Invalid("The question is empty. Ask something.")
    if len(question) > _LONGEST_QUESTION:
        raise Invalid(f"The question is longer than {_LONGEST_QUESTION} characters. Ask something shorter.")
    if "\0" in question:
        raise Invalid("The question contains a NUL character. Remove it.")


def _check(scope: Scope, search: Search) -> None:
    if not 1 <= search.limit <= _MOST:
        raise Invalid(f"The limit must be between 1 and {_MOST}.")
    if not all(scope.may_touch(collection_id) for collection_id in search.collections):
        raise NotFound("There is no such collection.")


def _above_zero(scores: Mapping[int, float]) -> dict[int, float]:
    return {chunk_id: score for chunk_id, score in scores.items() if score > 0}


async def _fetch(
    connection: Connection, fused: list[Fused], search: Search, rank: Rank, most: int
) -> list[Passage]:
    if search.profile.one_per_document:
        fused = await _best_of_each_document(connection, fused)
    shown = await _shown(connection, [each.chunk_id for each in fused[:most]])
    if not any(row["parent_ordinal"] is not None for row in shown.values()):
        return [_passage(shown[each.chunk_id], each) for each in fused[:most] if each.chunk_id in shown]
    chosen = await windows(connection, fused, rank, most, search.profile)
    shown = await _shown(connection, [chunk_id for window in chosen for chunk_id in window.chunk_ids])
    return await _stretches(connection, [window for window in chosen if window.chunk_ids[0] in shown], shown)


async def _shown(connection: Connection, chunk_ids: list[int]) -> dict[int, Any]:
    if not chunk_ids:
        return {}
    return {row["chunk_id"]: row for row in await connection.fetch(_SQL["passages"], chunk_ids)}


async def _stretches(
    connection: Connection, chosen: Sequence[Window], shown: Mapping[int, Any]
) -> list[Passage]:
    """Each window as one passage: the text from its first chunk to its last."""
    members = [
        [_passage(shown[chunk_id], window.found.fused) for chunk_id in window.chunk_ids] for window in chosen
    ]
    ends = [(each[0].document_id, each[0].version, each[0].start, each[-1].end) for each in members]
    rows = await connection.fetch(_SQL["stretches"], *map(list, zip(*ends, strict=True))) if ends else []
    return [
        joined(each, row["text"], window.found.score)
        for window, each, row in zip(chosen, members, rows, strict=True)
    ]


async def _best_of_each_document(connection: Connection, fused: list[Fused]) -> list[Fused]:
    rows = await connection.fetch(_SQL["documents_of"], [each.chunk_id for each in fused])
    documents = {row["chunk_id"]: row["document_id"] for row in rows}
    best: dict[UUID, Fused] = {}
    for each in fused:
        if each.chunk_id in documents:
            best.setdefault(documents[each.chunk_id], each)
    return list(best.values())


def _passage(row: Any, fused: Fused) -> Passage:
    return Passage(
        row["document_id"],
        row["version"],
        row["collection"],
        row["external_id"],
        row["title"],
        row["start_offset"],
        row["end_offset"],
        row["text"],
        row["page"],
        tuple(row["headings"]),
        row["metadata"],
        fused.score,
        fused.legs,
        tuple(map(PageStart, row["pages"], row["page_starts"])),
        tuple(Section(start, tuple(headings)) for start, headings in row["sections"] or ()),
        chunk_id=fused.chunk_id,
    )
