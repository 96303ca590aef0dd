"""The nouns of retrieval. Offsets are code points of the version's text; spans are half open."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from knowlog.embedding import Embedder
from knowlog.stores import TermStatistics


@dataclass(frozen=True, slots=True)
class Leg:
    """How one leg saw a passage: its rank, from 1, and raw score: a cosine, or BM25.

    Where the vectors of several models were searched, their cosines are scaled to 0 ... 1, each model's by themselves.
    """

    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk returned for a question: `version_text[start:end] == text`; its fused score, and its legs'."""

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
    legs: dict[str, Leg] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The passages for a question, best first, and what the collections know of its words.

    `degraded` names the legs that had to be left out, wholly or for some collections, because what they rest on did not
    answer; `notes` say it in sentences. `model` is the one by which texts can be compared with the question now.
    """

    passages: tuple[Passage, ...]
    statistics: TermStatistics
    degraded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    model: Embedder | None = None
