"""Whether two runs measured a metric in the same way: where they did not, their difference says nothing about either."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from operator import eq
from typing import Any

from knowlog.evaluation.measures import METRICS
from knowlog.evaluation.measuring import RANKED
from knowlog.evaluation.model import Run

_AT_K = (
    "recall",
    "precision",
    "ndcg",
    "token_recall",
    "token_precision",
    "token_iou",
    "context_tokens",
    "cost",
)


_ANSWERED = (
    "exact_match",
    "answer_f1",
    "answer_inside",
    "answer_relevance",
    "faithfulness",
    "citation_precision",
    "citation_recall",
    "abstention",
)
_APART = 0.2
"""Shares of answers that a language model wrote differ so much at most in runs that are compared: a model that was away
in one of them says nothing of what is measured.
"""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Metrics in which two runs are not compared, and why, in a sentence that says what to do."""

    metrics: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class _Condition:
    """What two runs must have in common for some metrics, and what is told where they have not."""

    metrics: Collection[str]
    of: Callable[[Run], Any]
    told: str
    alike: Callable[[Any, Any], bool] = eq


def _depth(run: Run) -> int:
    return max(run.wanted.k, RANKED)


@dataclass(frozen=True, slots=True)
class _Answers:
    """How a run's answers were made in fact, and which share of them by a language model."""

    mode: str
    written: float
    told: str

    def like(self, other: "_Answers") -> bool:
        return self.mode == other.mode and abs(self.written - other.written) <= _APART

    def __str__(self) -> str:
        return self.told


def _answers(run: Run) -> _Answers:
    if run.wanted.mode != "generated":
        return _Answers(str(run.wanted.mode), 0.0, "made of quotations")
    made = (run.made_with or {}).get("answers") or {"rungs": {}, "told": "written by a language model"}
    count = sum(made["rungs"].values())
    quoted = made["rungs"].get("extractive", 0) / count if count else 0.0
    return _Answers("generated", 1 - quoted, made["told"])


def _made(name: str) -> Callable[[Run], Any]:
    return lambda run: (run.made_with or {}).get(name)


def _timed(run: Run) -> str:
    what = "searches" if not run.wanted.answers else "answers"
    return f"{what}{' of a language model' if run.wanted.mode == 'generated' else ''} from {_depth(run)} passages"


_CONDITIONS = (
    _Condition(_AT_K, lambda run: run.wanted.k, "A looks at {} passages and B at {}: give both the same k."),
    _Condition(("mrr", "map"), _depth, "A searched for {} passages and B for {}: give both the same k."),
    _Condition(
        _ANSWERED, _answers, "A's answers are {} and B's {}: have both made alike (--mode), while the model answers.",
        _Answers.like,
    ),
    _Condition(("faithfulness",), _made("judge"), "A was judged by {} and B by {}: let one judge both."),
    _Condition(
        ("answer_relevance",), _made("embedding_key"),
        "It is a cosine of {} in A and of {} in B: compare it between runs with one model.",
    ),
    _Condition(("latency_ms",), _timed, "A timed {} and B {}: let both measure the same."),
    _Condition(
        ("cost",), lambda run: run.wanted.price_per_million,
        "A million tokens cost {} in A and {} in B: give both the same price.",
    ),
)  # fmt: skip


def left_out(first: Run, second: Run, measured: Sequence[set[str]]) -> list[LeftOut]:
    """Return in which metrics two runs cannot be compared. `measured` holds what each of them has scores in."""
    sides = {"A": measured[0] - measured[1], "B": measured[1] - measured[0]}
    found = [
        LeftOut(_sorted(only), f"Only {side} has figures on it: let both measure the same.")
        for side, only in sides.items()
        if only
    ]
    both = measured[0] & measured[1]
    for each in _CONDITIONS:
        values = each.of(first), each.of(second)
        if not each.alike(*values) and (metrics := _sorted(both & set(each.metrics))):
            found.append(LeftOut(metrics, each.told.format(*values)))
            both -= set(metrics)
    return found


def _sorted(metrics: Collection[str]) -> tuple[str, ...]:
    return tuple(each for each in METRICS if each in metrics)
