"""One question asked as users ask it, and everything that can be measured on what comes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any
from uuid import UUID

from knowlog.answering import Answer
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.documents import Answering
from knowlog.embedding import Embedder
from knowlog.evaluation import metrics
from knowlog.evaluation.answers import answer_of
from knowlog.evaluation.locating import find_spans, texts_of
from knowlog.evaluation.means import Asked
from knowlog.evaluation.metrics import Cited, Range
from knowlog.evaluation.model import Question, Wanted
from knowlog.faithfulness import Judgement
from knowlog.retrieval import Passage, RetrievalProfile, Retrieved, Search, retrieve

RANKED = 10
"""Documents are ranked by so many passages at least, whatever k is."""
_SQL = load_queries("knowlog.evaluation", "datasets.sql")
_SHOWN = 500
_WHOLE = 1 << 40
_ROOM = 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where the documents of a question stand on one line, so that spans of several can be measured together."""

    excerpts: tuple[Cited, ...]
    chunks: tuple[Cited, ...]


async def measure(
    asked: Asked,
    scope: Scope,
    collection_id: UUID,
    profile: RetrievalProfile,
    question: Question,
    wanted: Wanted,
    index: Answering | None = None,
) -> tuple[dict[str, float], dict[str, Any]]:
    """Ask a question of a collection, or of one of its indexes that does not answer others.

    Returns its scores by metric, and what was found. Raises what searching and judging raise.
    """
    search = Search(
        question.text, (collection_id,), max(wanted.k, RANKED, profile.passages), profile=profile,
        answering=index and {collection_id: index},
    )  # fmt: skip
    started = perf_counter()
    found = await _search(asked, scope, search)
    read = found.passages[: profile.passages]
    answer = None
    if wanted.answers:
        answer = await answer_of(asked, scope, question.text, found, read, wanted.mode)
    scores = {"latency_ms": (perf_counter() - started) * 1000}
    place = await _place(asked.database, scope, collection_id, question, index and index.index_id)
    if "retrieval" in wanted.measures:
        ranking = await _ranking(asked, scope, search, found.passages, wanted.k)
        scores |= retrieval_scores(question, place, found.passages, ranking, wanted.k)
        scores |= _costs(asked.embedder, found.passages[: wanted.k], wanted)
    judgement = None
    if answer and "answers" in wanted.measures:
        scores |= answer_scores(question, place, answer)
        scores |= await _relevance(found.model or asked.embedder, question, answer)
    if answer and answer.statements and "faithfulness" in wanted.measures:
        judgement = await asked.judge.judge(question.text, answer.text, [each.text for each in read])
        scores["faithfulness"] = metrics.faithful_share(
            [each.label == "supported" for each in judgement.verdicts]
        )
    return {name: round(value, 6) for name, value in scores.items()}, _detail(
        question, found, answer, judgement, wanted.k
    )


async def _search(asked: Asked, scope: Scope, search: Search) -> Retrieved:
    async with asked.writing(scope) as writer:
        return await retrieve(
            asked.database, scope, asked.embedder, asked.store, search, open_model=asked.open_model,
            writer=writer,
        )  # fmt: skip


async def _ranking(
    asked: Asked, scope: Scope, search: Search, passages: Sequence[Passage], k: int
) -> list[str]:
    """The documents in the order in which they were found, k of them if so many are found at all.

    Where the passages lie in fewer documents than that, it is asked again for the best passage of each document.
    """
    ranking = _documents(passages[: max(k, RANKED)])
    if len(ranking) >= k or len(passages) < search.limit or search.profile.one_per_document:
        return ranking
    each = search.profile.model_copy(update={"one_per_document": True})
    further = await _search(asked, scope, replace(search, limit=k, profile=each))
    return list(dict.fromkeys([*ranking, *_documents(further.passages)]))[:k]


def _documents(passages: Sequence[Passage]) -> list[str]:
    return list(dict.fromkeys(each.external_id for each in passages))


def retrieval_scores(
    question: Question, place: Place, passages: Sequence[Passage], ranking: Sequence[str], k: int
) -> dict[str, float]:
    """What was found is worth: by the documents that are known to be relevant, and by the excerpts in the passages."""
    scores: dict[str, float] = {}
    relevance = question.documents or {each.document: 1 for each in question.excerpts}
    if relevance:
        scores = {
            "recall": metrics.recall(ranking, relevance, k),
            "precision": metrics.precision(ranking, relevance, k),
            "mrr": metrics.reciprocal_rank(ranking, relevance),
            "map": metrics.average_precision(ranking, relevance),
            "ndcg": metrics.ndcg(ranking, relevance, k),
        }
    if place.excerpts:
        spans = [(each.external_id, each.start, each.end) for each in passages[:k]]
        excerpts, retrieved, chunks = on_one_line(place.excerpts, spans, place.chunks)
        scores |= {
            "token_recall": metrics.span_recall(retrieved, excerpts),
            "token_precision": metrics.span_precision(retrieved, excerpts),
            "token_iou": metrics.span_iou(retrieved, excerpts),
            "precision_omega": metrics.precision_omega(chunks, excerpts),
        }
    return scores


def answer_scores(question: Question, place: Place, answer: Answer) -> dict[str, float]:
    """What the answer is worth, by what is known of the question."""
    abstained = not answer.statements
    scores: dict[str, float] = {}
    if question.unanswerable or question.answers or question.documents or question.excerpts:
        scores["abstention"] = metrics.abstention(abstained, not question.unanswerable)
    if question.answers:
        text = "" if abstained else answer.text
        scores["exact_match"] = metrics.exact_match(text, question.answers)
        scores["answer_f1"] = metrics.answer_f1(text, question.answers)
        scores["answer_inside"] = float(metrics.answer_inside(text, question.answers))
    wanted = place.excerpts or tuple((each, 0, _WHOLE) for each in question.documents)
    if wanted and not abstained:
        cited = [
            (each.external_id, each.start, each.end)
            for statement in answer.statements
            if statement.answers
            for each in statement.citations
        ]
        scores["citation_precision"] = metrics.citation_precision(cited, wanted)
        scores["citation_recall"] = metrics.citation_recall(cited, wanted)
    return scores


def on_one_line(*groups: Sequence[Cited]) -> list[list[Range]]:
    """Put the spans of several documents behind one another: the same document to the same place in each group."""
    lengths: dict[str, int] = {}
    for group in groups:
        for document, _, end in group:
            lengths[document] = max(lengths.get(document, 0), end)
    offsets: dict[str, int] = {}
    position = 0
    for document, length in lengths.items():
        offsets[document] = position
        position += length + _ROOM
    return [[(offsets[d] + start, offsets[d] + end) for d, start, end in group] for group in groups]


async def _place(
    database: Database, scope: Scope, collection_id: UUID, question: Question, index_id: UUID | None
) -> Place:
    """Find the excerpts in the documents as they are now; one whose words have changed is left out."""
    if not question.excerpts:
        return Place((), ())
    names = sorted({each.document for each in question.excerpts})
    async with database.transaction(scope) as connection:
        found = await _excerpts(connection, collection_id, question, names)
        rows = await connection.fetch(_SQL["chunk_spans"], collection_id, names, index_id)
    return Place(found, tuple((row["external_id"], row["start_offset"], row["end_offset"]) for row in rows))


async def _excerpts(
    connection: Connection, collection_id: UUID, question: Question, names: Sequence[str]
) -> tuple[Cited, ...]:
    found: list[Cited] = []
    async for document in texts_of(connection, collection_id, names):
        own = [each.text for each in question.excerpts if each.document == document.external_id]
        spans = await find_spans(connection, document.text, own)
        found += [(document.external_id, *span) for span in spans if span]
    return tuple(found)


async def _relevance(embedder: Embedder, question: Question, answer: Answer) -> dict[str, float]:
    texts = [each.text for each in answer.statements if each.answers]
    if not texts:
        return {}
    asked = await embedder.embed_query(question.text)
    return {"answer_relevance": metrics.answer_relevance(asked, await embedder.embed_documents(texts))}


def _costs(embedder: Embedder, passages: Sequence[Passage], wanted: Wanted) -> dict[str, float]:
    tokens = sum(len(embedder.token_offsets(each.text)) for each in passages)
    priced = wanted.price_per_million > 0
    cost = {"cost": metrics.reading_cost(tokens, wanted.price_per_million)} if priced else {}
    return {"context_tokens": tokens, **cost}


def _detail(
    question: Question, found: Retrieved, answer: Answer | None, judgement: Judgement | None, k: int
) -> dict[str, Any]:
    """What a person wants to see of a question that went wrong."""
    told: dict[str, Any] = {
        "question": question.text,
        "truth": question.truth,
        "found": [
            {
                "document": each.external_id,
                "start": each.start,
                "end": each.end,
                "score": round(each.score, 4),
            }
            for each in found.passages[:k]
        ],
        "degraded": list(found.degraded),
    }
    if answer is not None:
        told["answer"] = answer.text[:_SHOWN]
        told["confidence"] = round(answer.confidence, 4)
        told["rung"] = answer.rung
    if judgement is not None:
        told["unsupported"] = _unsupported(judgement)
    return told


def _unsupported(judgement: Judgement) -> list[Mapping[str, str]]:
    return [
        {"claim": each.claim.text[:_SHOWN], "reason": each.reason}
        for each in judgement.verdicts
        if each.label == "unsupported"
    ]
