"""The nouns of tuning: what is searched, one trial, what is found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from knowlog.bus import JobState
from knowlog.evaluation.model import Figure, Origin

Target = Literal["recall", "token_recall"]


@dataclass(frozen=True, slots=True)
class Sought:
    """What a tuning tries, and what it may cost. Without `sizes`, usual ones are.

    Each configuration is tried with as many passages as the profile has now, and with each of `passages`.
    `configurations` is the most ways of cutting that are tried, on at most `documents` documents; no trial begins when
    `minutes` are over.
    """

    strategies: tuple[str, ...] = (
        "recursive",
        "sentence",
        "paragraph",
        "sliding_window",
        "structure",
        "parent_child",
    )
    sizes: tuple[int, ...] = ()
    overlaps: tuple[float, ...] = (0.0, 0.12, 0.25)
    weights: tuple[float, ...] = (0.3, 0.5, 0.7, 0.9)
    passages: tuple[int, ...] = (3, 5, 8, 10, 12, 15, 20, 25, 30)
    minutes: float = 30.0
    configurations: int = 12
    documents: int = 2000


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration, measured with its first `k` passages: on which share of the documents, and what it costs.

    `scores` are those of the target by question, which comparisons need. `pareto`: no other trial on all documents is
    better at the target without costing more tokens to read.
    """

    number: int
    chunking: Mapping[str, Any]
    dense_weight: float
    k: int
    documents: int
    chunks: int
    target: Figure
    context_tokens: float
    latency_ms: float
    build_s: float
    whole: bool
    pareto: bool = False
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tuning:
    """A search for a better profile of a collection. `report` is there when its state is `done`."""

    tuning_id: UUID
    dataset_id: UUID
    dataset: str
    origin: Origin
    collection_id: UUID
    collection: str
    job_id: UUID
    state: JobState
    reason: str | None
    wanted: Sought
    profile: dict[str, Any]
    profile_version: int
    seed: int
    digest: str
    done: int
    total: int
    doing: str | None
    code_version: str | None
    report: dict[str, Any] | None
    switch_id: UUID | None
    created_at: datetime
    created_by: str
    started_at: datetime | None
    finished_at: datetime | None
