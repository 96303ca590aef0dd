"""A wish to a summary, within what its asker may see."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from knowlog.answering import Citation, Kind, readable, split
from knowlog.database import Connection, Database, Scope
from knowlog.documents import resolve_collections
from knowlog.embedding import Embedder, OpenModel
from knowlog.faithfulness import Judge
from knowlog.kernel.errors import Conflict, LimitReached, Misconfigured, Unavailable
from knowlog.llm import Provider, TenantAccount
from knowlog.retrieval import Passage, RetrievalProfile, Retrieved, Search, is_flagged, retrieve_resolved
from knowlog.stores import VectorStore, lexemes
from knowlog.summarizing.digests import digests_of, documents_seen, sentences_of
from knowlog.summarizing.extractive import spread
from knowlog.summarizing.ladder import Task, Writing, summarize_by_ladder, summarize_by_quoting
from knowlog.summarizing.model import Content, Count, Length, Made, Mode, Quotable, Wanted, words
from knowlog.summarizing.reading import Source
from knowlog.tenants import Limiter

_PASSAGES, _SEARCHED = 25, 200
"""What is said of a topic stands in so many passages; within a span of time, in as many of those that were found."""
_SPREAD = 400
"""So many sentences of a collection are compared with each other."""
_BY_WORDS = "The embedding model did not answer, so the sentences on the topic were chosen by words alone."


@dataclass(frozen=True, slots=True)
class Means:
    """What summaries are made with. `providers_of`: the language models of a tenant, its own before the operator's."""

    database: Database
    embedder: Embedder
    store: VectorStore
    open_model: OpenModel
    judge: Judge
    limiter: Limiter
    providers_of: Callable[[Scope], Awaitable[Sequence[Provider]]]
    max_tokens: int

    async def writers(self, scope: Scope, mode: Mode) -> Sequence[Provider]:
        """The language models that a summary is asked of, in their order; none for quotations. Raises Unavailable."""
        return await self.providers_of(scope) if mode == "generated" else ()

    def made_with(self, wanted: Wanted, writers: Sequence[Provider]) -> dict[str, Any]:
        """What decides, besides the wish, what is written: a summary made with something else is made again."""
        counted = self.embedder.profile.key if wanted.length.unit == "tokens" else None
        written = [each.name for each in writers] if wanted.mode == "generated" else None
        judged = self.judge.name if written else None
        return {"counted": counted, "written": written, "judged": judged}

    def count(self, length: Length) -> Count:
        """How long texts are: in words, or in tokens of the embedding model."""
        return words if length.unit == "words" else lambda text: len(self.embedder.token_offsets(text))


async def make(means: Means, scope: Scope, wanted: Wanted) -> Made:
    """Make a summary of what the scope sees. Raises Conflict where that is nothing, and NotFound, Unavailable."""
    async with means.database.transaction(scope) as connection:
        sources = await documents_seen(connection, wanted)
        (collection,) = await resolve_collections(connection, scope, [str(wanted.collection_id)])
    if not sources:
        raise Conflict("There is nothing to summarize any more: no document that the asker may see is there.")
    if wanted.topic:
        return await _of_topic(means, scope, wanted, sources)
    if wanted.document_id:
        digests = [await sentences_of(means.database, scope, sources[0])]
    else:
        digests = await digests_of(means.database, scope, sources)
    if RetrievalProfile(**collection.profile.retrieval).flagged == "drop":
        digests = await asyncio.to_thread(_unflagged, digests)
    found = digests[0] if wanted.document_id else spread(digests, _SPREAD)
    content = await _content(means, scope, wanted, found, None)
    return Made(content, {each.document_id: each.version for each in sources})


def _unflagged(digests: Sequence[Sequence[Quotable]]) -> list[list[Quotable]]:
    """What is left without the sentences that look like instructions to a machine."""
    return [[each for each in digest if not is_flagged(each.citation.quote)] for digest in digests]


async def _content(
    means: Means, scope: Scope, wanted: Wanted, found: Sequence[Quotable], relevance: Sequence[float] | None
) -> Content:
    task = Task(found, wanted.length, wanted.form, means.count(wanted.length), wanted.topic, relevance)
    if wanted.mode == "extractive":
        return await asyncio.to_thread(summarize_by_quoting, task)
    account = TenantAccount(means.database, means.limiter, scope)
    try:
        writers = await means.writers(scope, wanted.mode)
        writing = Writing(writers, means.judge, account, means.max_tokens)
        return await summarize_by_ladder(task, writing)
    finally:
        await account.settle()


async def _of_topic(means: Means, scope: Scope, wanted: Wanted, sources: Sequence[Source]) -> Made:
    """What the documents say of a topic: found as for a question, in those of the wish alone."""
    current = {each.document_id: each.version for each in sources}
    retrieved = await _search(means, scope, wanted)
    means.limiter.count_question(scope.tenant_id, retrieved.embedded_tokens)
    passages = [each for each in retrieved.passages if current.get(each.document_id) == each.version]
    found = _sentences(passages[:_PASSAGES])
    if not found:
        raise Conflict(
            "The documents say nothing of this topic. Name it in other words, or another collection."
        )
    relevance, blind = await _relevance(retrieved.model or means.embedder, str(wanted.topic), found)
    content = await _content(means, scope, wanted, found, relevance)
    notes = (*retrieved.notes, *((_BY_WORDS,) if blind else ()), *content.notes)
    degraded = (*(retrieved.degraded or (("dense",) if blind else ())), *content.degraded)
    told = replace(content, notes=notes, degraded=degraded)
    return Made(told, {each.citation.document_id: each.citation.version for each in found})


async def _search(means: Means, scope: Scope, wanted: Wanted) -> Retrieved:
    async def resolve(connection: Connection) -> Search:
        (found,) = await resolve_collections(connection, scope, [str(wanted.collection_id)])
        profile = RetrievalProfile(**found.profile.retrieval)
        answering = {found.collection_id: found.answering}
        return Search(str(wanted.topic), tuple(answering), _SEARCHED, None, profile, answering, "hybrid")

    return await retrieve_resolved(
        means.database,
        scope,
        means.embedder,
        means.store,
        str(wanted.topic),
        resolve,
        open_model=means.open_model,
    )


def _sentences(passages: Sequence[Passage]) -> list[Quotable]:
    """The sentences of passages, once each, document by document in reading order."""
    found: dict[tuple[UUID, int], Quotable] = {}
    texts: set[str] = set()
    for passage in passages:
        for each in split(passage.text, (passage.title, *passage.headings)):
            quote = passage.text[each.start : each.end]
            key = passage.document_id, passage.start + each.start
            if each.kind in (Kind.PROSE, Kind.ITEM) and key not in found and quote not in texts:
                texts.add(quote)
                found[key] = _quotable(passage, each.start, each.end, readable(quote, each))
    order = list(dict.fromkeys(each.document_id for each in passages))
    return sorted(
        found.values(), key=lambda each: (order.index(each.citation.document_id), each.citation.start)
    )


def _quotable(passage: Passage, first: int, last: int, text: str) -> Quotable:
    start, end = passage.start + first, passage.start + last
    citation = Citation(
        passage.text[first:last], passage.document_id, passage.version, passage.collection, passage.external_id,
        passage.title, start, end, passage.pages_of(start, end), passage.headings_at(start), round(passage.score, 4),
    )  # fmt: skip
    return Quotable(text, citation, 0.0)


async def _relevance(
    embedder: Embedder, topic: str, found: Sequence[Quotable]
) -> tuple[Sequence[float], bool]:
    """How near each sentence is to the topic, 0 to 1, and whether that was told by words alone."""
    asked = set(lexemes(topic))
    shared = np.array([len(asked & set(lexemes(each.text))) / max(1, len(asked)) for each in found])
    passages = np.array([each.citation.score for each in found])
    try:
        vectors = await embedder.embed_documents([each.text for each in found])
        near = _scaled(vectors @ await embedder.embed_query(topic))
    except (LimitReached, Misconfigured, Unavailable):
        return [float(each) for each in 0.6 * shared + 0.4 * passages], True
    return [float(each) for each in np.clip(0.5 * near + 0.25 * shared + 0.25 * passages, 0, 1)], False


def _scaled(cosines: NDArray[np.float32]) -> NDArray[np.float64]:
    low, high = float(cosines.min()), float(cosines.max())
    return np.asarray((cosines - low) / max(high - low, 1e-6), np.float64)
