"""A stored document cut in several ways, and the chunks that a question finds in each. Nothing of it is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from uuid import UUID

import numpy as np

from knowlog.chunking import ChunkingProfile
from knowlog.database import Connection, Database, Scope
from knowlog.documents import Heading, Page, ParsedText, Structure, document_text, get_document
from knowlog.embedding import Embedder
from knowlog.ingestion import Cutter
from knowlog.kernel.errors import Invalid, KnowlogError, LimitReached, Unavailable
from knowlog.retrieval import Leg, RetrievalProfile, fuse
from knowlog.stores import ChunkRow, score_texts, searchable_text
from knowlog.tenants import LimitsSettings, allowance, check, spend

MOST_CHARACTERS = 60_000
"""Of a longer document a stretch is cut: about twenty pages, which is more than a person looks at."""
MOST_EMBEDDED = 400
"""Chunks of all cuts together, up to which a question is compared with their vectors; beyond, with their words alone."""
_WITHOUT_VECTORS = "The question was compared by words alone: {}."


@dataclass(frozen=True, slots=True)
class FoundChunk:
    """A chunk that a question finds: its place in the cut, its fused score, and how each leg saw it."""

    chunk: int
    score: float
    legs: Mapping[str, Leg]


@dataclass(frozen=True, slots=True)
class DocumentCut:
    """The chunks that one profile makes, and those that the question finds, best first."""

    profile: ChunkingProfile
    chunks: Sequence[ChunkRow]
    took_ms: float
    found: Sequence[FoundChunk] = ()


@dataclass(frozen=True, slots=True)
class DocumentCuts:
    """A stretch of a version's text, which begins at `start` of `length` characters, and its cuts. The chunks' offsets
    count from the stretch's beginning.
    """

    version: int
    title: str
    start: int
    length: int
    text: str
    cuts: Sequence[DocumentCut]
    embedded_tokens: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """How to cut, from which offset on, and what to ask: so many chunks are shown for a question."""

    profiles: Sequence[ChunkingProfile]
    start: int = 0
    question: str | None = None
    most: int = 5


@dataclass(frozen=True, slots=True)
class DocumentCutter:
    """Cuts documents of the caller's scope. What it has embedded counts as the tenant's embedding tokens."""

    database: Database
    embedder: Embedder
    cutter: Cutter
    limits: LimitsSettings

    async def cut(self, scope: Scope, document_id: UUID, wish: Wish) -> DocumentCuts:
        """Cut the text that answers questions. Raises NotFound, Invalid, LimitReached, and what a model raises that a
        strategy asks.
        """
        async with self.database.transaction(scope) as connection:
            parsed, made = await _read(connection, scope, document_id, wish.start)
        cuts = [await self._cut(scope, parsed, profile) for profile in wish.profiles]
        if not wish.question:
            return _with(made, cuts)
        return await self._ask(scope, made, cuts, wish.question, wish.most)

    async def _cut(self, scope: Scope, parsed: ParsedText, profile: ChunkingProfile) -> DocumentCut:
        started = perf_counter()
        chunks = await self.cutter.cut(scope, parsed, profile)
        return DocumentCut(profile, chunks, (perf_counter() - started) * 1000)

    async def _ask(
        self, scope: Scope, made: DocumentCuts, cuts: Sequence[DocumentCut], question: str, most: int
    ) -> DocumentCuts:
        """Compare the question with the chunks of each cut, as if they were a collection's only ones."""
        texts = [[searchable_text(made.title, each.above, each.text) for each in cut.chunks] for cut in cuts]
        similar, tokens, note = await self._compare(scope, texts, question)
        found = [
            _found(score_texts(own, question), dict(enumerate(near)), most)
            for own, near in zip(texts, similar, strict=True)
        ]
        asked = [
            DocumentCut(cut.profile, cut.chunks, cut.took_ms, each)
            for cut, each in zip(cuts, found, strict=True)
        ]
        return _with(made, asked, tokens, note)

    async def _compare(
        self, scope: Scope, texts: Sequence[Sequence[str]], question: str
    ) -> tuple[list[list[float]], int, tuple[str, ...]]:
        """The cosine of each text, the tokens that were embedded, and why there are none where that is so."""
        distinct = list(dict.fromkeys(text for own in texts for text in own))
        nothing: list[list[float]] = [[] for _ in texts]
        if len(distinct) > MOST_EMBEDDED:
            why = f"there are {len(distinct)} chunks, and {MOST_EMBEDDED} are embedded at most"
            return nothing, 0, (_WITHOUT_VECTORS.format(why),)
        tokens = sum(len(self.embedder.token_offsets(text)) for text in (*distinct, question))
        try:
            await self._require_tokens(scope)
            vectors = await self.embedder.embed_documents(distinct)
            asked = await self.embedder.embed_query(question)
        except (Unavailable, LimitReached) as error:
            return nothing, 0, (_WITHOUT_VECTORS.format(_inside(error)),)
        async with self.database.transaction(scope) as connection:
            await spend(connection, "embedding_tokens", tokens)
        near = dict(zip(distinct, map(float, np.asarray(vectors) @ asked), strict=True))
        return [[near[text] for text in own] for own in texts], tokens, ()

    async def _require_tokens(self, scope: Scope) -> None:
        async with self.database.transaction(scope) as connection:
            await check(
                connection, await allowance(connection, self.limits, None), ["embedding_tokens_per_day"]
            )


async def _read(
    connection: Connection, scope: Scope, document_id: UUID, start: int
) -> tuple[ParsedText, DocumentCuts]:
    document = await get_document(connection, scope, document_id)
    found = await document_text(connection, scope, document_id, None, start, start + MOST_CHARACTERS)
    if not found.text.strip():
        raise Invalid(f"The document has no text behind {start:,}: it ends at {found.length:,}.")
    parsed = ParsedText(
        found.text, _moved(found.structure, start, found.end), None, document.media_type or "text/plain"
    )
    made = DocumentCuts(found.version, document.title, start, found.length, found.text, ())
    return parsed, made


def _moved(structure: Structure, start: int, end: int) -> Structure:
    """The structure of the stretch [start, end), counted from its beginning; what stands above it stands at 0."""
    pages = [each for each in structure.pages if each.start < end and each.end > start]
    headings = [each for each in structure.headings if each.start < end]
    return Structure(
        tuple(Page(each.number, max(0, each.start - start), min(end, each.end) - start) for each in pages),
        tuple(Heading(each.level, each.title, max(0, each.start - start)) for each in headings),
    )


def _found(lexical: Mapping[int, float], dense: Mapping[int, float], most: int) -> list[FoundChunk]:
    fused = fuse(dense, lexical, RetrievalProfile().dense_weight)
    return [FoundChunk(each.chunk_id, each.score, each.legs) for each in fused[:most]]


def _with(
    made: DocumentCuts, cuts: Sequence[DocumentCut], tokens: int = 0, notes: tuple[str, ...] = ()
) -> DocumentCuts:
    return DocumentCuts(made.version, made.title, made.start, made.length, made.text, cuts, tokens, notes)


def _inside(error: KnowlogError) -> str:
    """A sentence as part of another."""
    return error.detail.rstrip(".")


def cuts_as_json(made: DocumentCuts) -> dict[str, Any]:
    """Return what was cut as JSON can hold it; offsets count from the beginning of the version's text."""
    return {
        "version": made.version, "title": made.title, "start": made.start, "length": made.length, "text": made.text,
        "embedded_tokens": made.embedded_tokens, "notes": made.notes,
        "cuts": [_cut_as_json(each, made.start) for each in made.cuts],
    }  # fmt: skip


def _cut_as_json(cut: DocumentCut, start: int) -> dict[str, Any]:
    return {
        "profile": cut.profile.settled(),
        "took_ms": round(cut.took_ms, 1),
        "chunks": [
            {
                "start": each.start + start, "end": each.end + start, "tokens": each.token_count, "page": each.page,
                "headings": each.headings, "context": each.context, "parent": each.parent_ordinal,
            }
            for each in cut.chunks
        ],
        "found": [
            {"chunk": each.chunk, "score": round(each.score, 4), "legs": each.legs} for each in cut.found
        ],
    }  # fmt: skip
