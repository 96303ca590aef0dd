"""The nouns of evaluation: question, dataset, run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from knowlog.bus import JobState

Origin = Literal["real", "synthetic"]
Answers = Literal["quoted", "free"]
Measure = Literal["retrieval", "answers", "faithfulness"]
Mode = Literal["extractive", "generated"]
MEASURES: tuple[Measure, ...] = ("retrieval", "answers", "faithfulness")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Words of a document that answer a question, as they stand there."""

    document: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what is known of it. `documents` gives external ids their relevance, from 1.

    An `unanswerable` one is known to be answered by no document. What is not known is empty, and is not measured.
    """

    question_id: str
    text: str
    answers: tuple[str, ...] = ()
    documents: Mapping[str, int] = field(default_factory=dict)
    excerpts: tuple[Excerpt, ...] = ()
    unanswerable: bool = False

    @property
    def truth(self) -> dict[str, Any]:
        """What is known, as it is stored."""
        return {
            "answers": list(self.answers),
            "documents": dict(self.documents),
            "excerpts": [{"document": each.document, "text": each.text} for each in self.excerpts],
            "unanswerable": self.unanswerable,
        }

    @classmethod
    def stored(cls, question_id: str, text: str, truth: Mapping[str, Any]) -> "Question":
        """The inverse of `truth`."""
        return cls(
            question_id, text, tuple(truth["answers"]), truth["documents"],
            tuple(Excerpt(**each) for each in truth["excerpts"]), truth["unanswerable"],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dataset:
    """Questions on one collection. It never changes; `digest` identifies its data."""

    dataset_id: UUID
    collection_id: UUID
    collection: str
    name: str
    origin: Origin
    digest: str
    question_count: int
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run measures, and at which depth `k`. `price_per_million` is what a million tokens cost to be read. `mode`
    says how answers are made: of quotations, or written by a language model.
    """

    k: int = 5
    measures: tuple[Measure, ...] = MEASURES
    price_per_million: float = 0.0
    mode: Mode = "extractive"

    @property
    def answers(self) -> bool:
        """Whether questions are answered at all."""
        return "answers" in self.measures or "faithfulness" in self.measures


@dataclass(frozen=True, slots=True)
class Figure:
    """The mean of a metric over `count` questions, and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Run:
    """One evaluation of a profile on a dataset. What was measured is there when its state is `done`."""

    run_id: UUID
    dataset_id: UUID
    dataset: str
    origin: Origin
    collection_id: UUID
    collection: str
    job_id: UUID
    label: str | None
    state: JobState
    reason: str | None
    wanted: Wanted
    seed: int
    digest: str
    question_count: int
    done: int
    code_version: str | None
    profile_version: int | None
    made_with: dict[str, Any] | None
    figures: dict[str, Figure] | None
    created_at: datetime
    created_by: str
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured on one question: `scores` by metric, and what was found and answered."""

    position: int
    question_id: str
    scores: Mapping[str, float]
    detail: Mapping[str, Any]
