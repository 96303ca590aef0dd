"""The nouns of summarizing. For every quote `version_text[start:end] == quote`; offsets are code points."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil, floor
from typing import Any, Literal
from uuid import UUID

from knowlog.answering import Citation

Form = Literal["bullets", "brief", "executive"]
Unit = Literal["words", "tokens"]
Mode = Literal["extractive", "generated"]
State = Literal["waiting", "running", "done", "outdated", "failed", "cancelled"]
Count = Callable[[str], int]
"""How long a text is, in the unit that is wanted."""

SHORTEST, LONGEST = 20, 5_000
"""Lengths that can be wished for, in words or tokens."""
NEAR = 0.1
"""A summary's length is kept within this share of the wish."""

_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af"
_WORD = re.compile(f"[{_UNSPACED}]|[^\\s{_UNSPACED}]+")


def words(text: str) -> int:
    """Count what white space separates; of scripts without spaces, each character."""
    return sum(1 for _ in _WORD.finditer(text))


@dataclass(frozen=True, slots=True)
class Length:
    """How long a summary is to be: `target`, give or take a tenth."""

    target: int
    unit: Unit = "words"

    @property
    def low(self) -> int:
        """The shortest that will do."""
        return ceil(round(self.target * (1 - NEAR), 6))

    @property
    def high(self) -> int:
        """The longest that will do."""
        return floor(round(self.target * (1 + NEAR), 6))


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time: documents whose date lies in [since, until). The date is a member of their metadata, `field`, as an
    ISO date; without one, when the version came in.
    """

    since: datetime | None = None
    until: datetime | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be summarized, and how. Without `document_id` a whole collection; `topic` keeps to what is said of it.

    `renewed`: it is made anew by itself when a document changes that it rests on.
    """

    collection_id: UUID
    document_id: UUID | None = None
    topic: str | None = None
    span: Span = Span()
    form: Form = "brief"
    length: Length = Length(150)
    mode: Mode = "extractive"
    renewed: bool = True


@dataclass(frozen=True, slots=True)
class Quotable:
    """A sentence that a summary may quote. `text` is how it reads on one line; `place` is where in its document it
    stands, 0 to 1. `weight` makes less of what reads badly alone: a part of a sentence, or one that leans on another.
    """

    text: str
    citation: Citation
    place: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class SummaryStatement:
    """One sentence of a summary and the quotes it rests on. `written`: by a language model, and verified; else it is a
    quote itself.
    """

    text: str
    citations: tuple[Citation, ...]
    score: float
    written: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """A summary as it was made. `length` is what it has, in the unit of the wish; where `within` is false, `notes` say
    why it could not be kept. `rung` and `degraded` as in Answer; `plan` is how a language model was asked.
    """

    text: str
    statements: tuple[SummaryStatement, ...]
    length: int
    within: bool
    rung: str = "extractive"
    plan: str | None = None
    llm_tokens: int = 0
    degraded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary as its asker sees it. One that is `outdated` is not shown: a document has changed since."""

    summary_id: UUID
    collection_id: UUID
    collection: str
    document_id: UUID | None
    external_id: str | None
    batch_id: UUID | None
    state: State
    reason: str | None
    wanted: Mapping[str, Any]
    document_count: int
    content: Mapping[str, Any] | None
    created_at: datetime
    created_by: str
    made_at: datetime | None


@dataclass(frozen=True, slots=True)
class Budget:
    """Where a batch stops: after so many documents, or so many tokens of a language model. None: no limit."""

    documents: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """One summary of each document of a collection. `reused` of the `done` were there already; `stopped` says why a batch
    does not go on by itself.
    """

    batch_id: UUID
    collection_id: UUID
    collection: str
    state: Literal["waiting", "running", "done", "stopped", "failed", "cancelled"]
    reason: str | None
    wanted: Mapping[str, Any]
    total: int
    done: int
    reused: int
    failed: int
    llm_tokens: int
    most_tokens: int | None
    most_documents: int | None
    created_at: datetime
    created_by: str
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Made:
    """What came of the making: the content, and the version of each document that it rests on."""

    content: Content
    sources: Mapping[UUID, int] = field(default_factory=dict)
