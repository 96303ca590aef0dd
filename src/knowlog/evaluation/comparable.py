"""Whether two runs measured a metric in the same way: where they did not, their difference says nothing about either."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from knowlog.evaluation.measures import METRICS
from knowlog.evaluation.measuring import ANSWER_PASSAGES
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


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Metrics in which two runs are not compared, and why, in a sentence that says what to do."""

    metrics: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class _Condition:
    """What two runs must have in common for some metrics, and what is told where they have not."""

    metrics: Collection[str]
    of: Callable[[Run], object]
    told: str


def _depth(run: Run) -> int:
    return max(run.wanted.k, ANSWER_PASSAGES)


def _made(name: str) -> Callable[[Run], Any]:
    return lambda run: (run.made_with or {}).get(name)


def _timed(run: Run) -> str:
    answered = {"answers", "faithfulness"} & set(run.wanted.measures)
    return f"{'answers' if answered else 'searches'} from {_depth(run)} passages"


_CONDITIONS = (
    _Condition(_AT_K, lambda run: run.wanted.k, "A looks at {} passages and B at {}: give both the same k."),
    _Condition(("mrr", "map"), _depth, "A searched for {} passages and B for {}: give both the same k."),
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
        if values[0] != values[1] and (metrics := _sorted(both & set(each.metrics))):
            found.append(LeftOut(metrics, each.told.format(*values)))
            both -= set(metrics)
    return found


def _sorted(metrics: Collection[str]) -> tuple[str, ...]:
    return tuple(each for each in METRICS if each in metrics)
