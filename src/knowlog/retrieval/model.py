"""The nouns of retrieval. Offsets are code points of the version's text; spans are half open."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

from knowlog.documents import Answering, PageStart, Section
from knowlog.embedding import Embedder
from knowlog.retrieval.injection import is_flagged
from knowlog.retrieval.settings import RetrievalProfile
from knowlog.stores import Filter, TermStatistics

_DEFAULT = RetrievalProfile()
_KNOWN_FLAGS = 4096


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


@dataclass(frozen=True, slots=True)
class Leg:
    """How one leg saw a passage: its rank, from 1, and raw score: a cosine, or BM25.

    Where the vectors of several models were searched, their cosines are scaled to 0 ... 1, each model's by themselves.
    """

    rank: int
    score: float


class RankedByLegs(Protocol):
    """What one search found, as each leg ranked it."""

    def legs(self, chunk_id: int) -> dict[str, Leg]:
        """How each leg that has the chunk sees it."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk returned for a question: `version_text[start:end] == text`; its fused score, and its legs'.

    `page` and `headings` are where it begins, `page_starts` are all pages that it touches, `sections` begin inside it.
    `lead` is what stands directly before it, where somebody has looked that up.
    """

    document_id: UUID
    version: int
    collection: str
    external_id: str
    title: str
    start: int
    end: int
    text: str
    page: int | None
    headings: tuple[str, ...]
    metadata: dict[str, Any]
    score: float
    ranked: RankedByLegs | None = field(default=None, compare=False, repr=False)
    page_starts: tuple[PageStart, ...] = ()
    sections: tuple[Section, ...] = ()
    lead: str = ""
    chunk_id: int = 0
    """The chunk that was found, in the present index; no caller is told it."""

    @property
    def legs(self) -> dict[str, Leg]:
        """How each leg that has it sees it; looked up when it is asked for, which only explanations do."""
        return self.ranked.legs(self.chunk_id) if self.ranked else {}

    @property
    def flagged(self) -> bool:
        """Whether it looks like instructions to a machine."""
        return _is_flagged(self.document_id, self.text)

    @property
    def pages(self) -> tuple[int, ...]:
        """The numbers of the pages that it touches; empty in a text without pages."""
        return self.pages_of(self.start, self.end)

    def headings_at(self, offset: int) -> tuple[str, ...]:
        """Return the headings, outermost first, above an offset of the version's text that lies in the passage."""
        before = [section for section in self.sections if section.start <= offset]
        return before[-1].headings if before else self.headings

    def pages_of(self, start: int, end: int) -> tuple[int, ...]:
        """Return the numbers of the pages that the span [start, end) of the version's text touches."""
        if not self.page_starts:
            return () if self.page is None else (self.page,)
        first = max(0, bisect_right(self.page_starts, start, key=lambda page: page.start) - 1)
        return tuple(page.number for page in self.page_starts[first:] if page.start < end)


@lru_cache(maxsize=_KNOWN_FLAGS)
def _is_flagged(document_id: UUID, text: str) -> bool:
    """Ask once about a passage that is shown often; by document, so that no tenant's reading hastens another's."""
    return is_flagged(text)


def joined(parts: Sequence[Passage], text: str, score: float) -> Passage:
    """Return neighbouring passages of one version as one, of which `text` is the whole text."""
    first = parts[0]
    starts = {page.number: page for part in reversed(parts) for page in part.page_starts}
    sections = [
        section
        for place, part in enumerate(parts)
        for section in ((Section(part.start, part.headings),) if place else ()) + part.sections
    ]
    return replace(
        first,
        end=parts[-1].end,
        text=text,
        score=score,
        page_starts=tuple(sorted(starts.values(), key=lambda page: page.start)),
        sections=tuple(sections),
    )


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a pattern did, in a few words, and what there is to know of it."""

    what: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The passages for a question, best first, and what the collections know of its words.

    `degraded` names the legs that had to be left out, wholly or for some collections, because what they rest on did not
    answer; `notes` say it in sentences. `model` is the one by which texts can be compared with the question now.
    `embedded_tokens`: what models were given of the question, and of passages, all of them together. `pattern` found the
    passages by these `steps`, and asked a language model so often, for so many tokens, prompts and answers together.
    `question` is what was looked for: what was asked, made to stand alone where it leaned on the questions before it.
    """

    passages: tuple[Passage, ...]
    statistics: TermStatistics
    degraded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    model: Embedder | None = None
    embedded_tokens: int = 0
    pattern: str = "hybrid"
    steps: tuple[Step, ...] = ()
    calls: int = 0
    written_tokens: int = 0
    question: str = ""
