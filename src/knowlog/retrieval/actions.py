"""Question in, passages out: both legs inside one scope, fused, and the best ones fetched, as a pattern has it."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.documents import Answering
from knowlog.embedding import Embedder, OpenModel, no_other
from knowlog.kernel.errors import Invalid, LimitReached, Misconfigured, NotFound, Unavailable
from knowlog.resilience import remaining_s, within
from knowlog.retrieval.dense import Embedding
from knowlog.retrieval.legs import Legs
from knowlog.retrieval.looking import Candidates, Looking
from knowlog.retrieval.model import Passage, Retrieved, Search
from knowlog.retrieval.patterns import Pattern, open_pattern
from knowlog.retrieval.port import Reranker, Writer
from knowlog.retrieval.reranking import reranked
from knowlog.retrieval.standalone import stand_alone
from knowlog.retrieval.words import WITHOUT_WORDS, WordsTooSlow
from knowlog.stores import VectorStore

_SQL = load_queries("knowlog.retrieval")
_LOG = logging.getLogger("knowlog.retrieval")
_WITHOUT_MODEL = (
    "The language model of the pattern {} does not answer at the moment: the plain search was used."
)
_SPENT = "The limit of language models is reached, so the plain search was used instead of the pattern {}. {}"
_LONGEST_QUESTION = 4000
_MOST = 1000
_PATTERN_SHARE = 0.5
"""Of the time that is left, so much is a pattern's that asks a language model; the plain search has the rest."""

Resolve = Callable[[Connection], Awaitable[Search]]
"""Says what is to be searched, having asked the database."""


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
    resolve: Resolve,
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
    given = _Given(database, scope, embedder, store, reranker, open_model, writer, history)
    try:
        return await _retrieve(given, question, resolve)
    except WordsTooSlow as error:
        _LOG.info("a search goes on without words: %s", error.detail)

    async def without_words(connection: Connection) -> Search:
        return replace(await resolve(connection), words=False, pattern="hybrid")

    return await _retrieve(given, question, without_words)


@dataclass(frozen=True, slots=True)
class _Given:
    """What one search works with, whatever it is that is asked."""

    database: Database
    scope: Scope
    embedder: Embedder
    store: VectorStore
    reranker: Reranker | None
    open_model: OpenModel
    writer: Writer | None
    history: Sequence[str]

    @property
    def depth(self) -> int:
        """How many passages the reranker wants to see."""
        return self.reranker.depth if self.reranker else 0


async def _retrieve(given: _Given, asked: str, resolve: Resolve) -> Retrieved:
    question = stand_alone(asked, given.history)[:_LONGEST_QUESTION]
    embedding = Embedding(question, given.embedder, given.open_model)
    try:
        async with given.database.snapshot(given.scope) as connection:
            search = await resolve(connection)
            _check(given.scope, search)
            looking = _looking(given, search, await _answering(connection, search), embedding, question)
            pattern = open_pattern(search.pattern or search.profile.pattern, given.writer)
            _note_question(looking, asked)
            waits = pattern.needs_llm or _asks_by_itself(pattern, looking)
            most = max(search.limit, given.depth)
            if not waits:
                looking.held = connection
                found = await pattern.find(looking)
                passages = await looking.show(found, most)
        if waits:
            pattern, found = await _by_model(pattern, looking)
            passages = await looking.show(found, most)
    finally:
        embedding.stop()
    if not search.words:
        looking.left_out["lexical"] = WITHOUT_WORDS
    if given.reranker:
        passages = await reranked(given.reranker, search.question, passages, looking.left_out)
    return _retrieved(pattern, looking, found, passages[: search.limit])


def _looking(
    given: _Given, search: Search, answering: Sequence[Answering], embedding: Embedding, question: str
) -> Looking:
    """What the pattern works with; the models of all that is searched begin to embed the question."""
    indexes = {each.index_id: each.embedding_key for each in answering}
    embedding.choose(indexes)
    indexed = replace(search, collections=tuple(indexes))
    return Looking(
        question,
        search.profile,
        given.database,
        given.scope,
        lambda held: Legs(held, given.scope, given.store, indexed),
        _embed(embedding, question, indexes, given),
        given.writer,
        history=given.history,
    )


def _note_question(looking: Looking, asked: str) -> None:
    looking.asked = asked
    if looking.question != asked:
        looking.did("carried over what the question leans on", question=looking.question)


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
        spent = isinstance(error, LimitReached) and "limit" in error.extra
        looking.left_out["llm"] = (_SPENT if spent else _WITHOUT_MODEL).format(pattern.name, error.detail)
        return open_pattern("hybrid"), await looking.find()


def _embed(
    begun: Embedding, question: str, keys: Mapping[UUID, str | None], given: _Given
) -> Callable[[str], Embedding]:
    """How a pattern has questions embedded. The one that was asked is being embedded already."""

    def embed(text: str) -> Embedding:
        if text == question:
            return begun
        other = Embedding(text, given.embedder, given.open_model)
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
