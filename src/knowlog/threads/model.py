"""The nouns of threads."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from knowlog.answering import NOT_IN_DOCUMENTS, Answer, Rung, Statement, Status

GONE = "What this answer rested on was deleted, has another version by now, or is not for you any more. Ask again."
"""The text of an answer of which nothing can be shown."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation. Its title is the first question's until it gets another; None before the first."""

    thread_id: UUID
    title: str | None
    turn_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Made:
    """An answer that was made, and how: what is stored of it as a turn.

    `standalone` is the question as it was understood, where that is not as it was asked; `pattern` found the passages.
    """

    question: str
    standalone: str | None
    answer: Answer
    pattern: str
    degraded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """A question of a thread with its answer, as far as it may be shown today.

    `withheld` counts statements that rest on what was deleted, has another version, or is not for the reader any more;
    `turn` counts from 1.
    """

    turn: int
    question: str
    standalone: str | None
    status: Status
    statements: tuple[Statement, ...]
    withheld: int
    confidence: float
    rung: Rung
    pattern: str
    degraded: tuple[str, ...]
    notes: tuple[str, ...]
    asked_at: datetime

    @property
    def text(self) -> str:
        """What answers the question, of what may be shown."""
        if self.status == "not_in_documents":
            return NOT_IN_DOCUMENTS
        return " ".join(each.text for each in self.statements if each.answers) or GONE
