"""The nouns of retrieval. Offsets are code points of the version's text; spans are half open: [start, end)."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Leg:
    """How one leg saw a passage: its rank, from 1, and raw score: a cosine, or BM25."""

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
class QueryStatistics:
    """What retrieval knows about the question's words in the collections searched.

    `terms` gives the inverse document frequency of each lexeme (Snowball English stem, lower case) of the
    question, ln(1 + (N - df + 0.5) / (df + 0.5)), also of those that occur nowhere; `chunk_count` is N.
    """

    terms: dict[str, float]
    chunk_count: int
