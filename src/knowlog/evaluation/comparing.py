"""Two runs on the same questions: by how much they differ, how sure that is, and what that means in a sentence."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from knowlog.evaluation.comparable import LeftOut, left_out
from knowlog.evaluation.measures import METRICS
from knowlog.evaluation.model import Result, Run
from knowlog.evaluation.statistics import LEVEL, Interval, paired
from knowlog.kernel.errors import Conflict, Invalid
from knowlog.kernel.wording import counted

Outcome = Literal["better", "worse", "no difference shown"]


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much the second of two runs differs in one metric: `second - first`, question by question."""

    metric: str
    first: float
    second: float
    difference: Interval
    outcome: Outcome
    verdict: str


def compare(first: Run, second: Run, results: tuple[Sequence[Result], Sequence[Result]]) -> list[Difference]:
    """Compare two finished runs in every metric that both have measured alike. Raises Conflict for other data."""
    _check(first, second)
    return _differences(first, second, results, _comparable(first, second, results), LEVEL)


def uncompared(first: Run, second: Run, results: tuple[Sequence[Result], Sequence[Result]]) -> list[LeftOut]:
    """Return the metrics that `compare` leaves out, with the reasons."""
    return left_out(first, second, _measured(results))


def regressions(
    baseline: Run,
    run: Run,
    results: tuple[Sequence[Result], Sequence[Result]],
    metrics: Collection[str] = (),
) -> list[Difference]:
    """Return the metrics in which a run is significantly worse than a baseline: of `metrics`, or all of quality.

    The more metrics are looked at, the surer each must be (Bonferroni), so that a gate without reason is shut in one case
    of twenty at most. Raises Conflict, or Invalid for a metric in which they cannot be compared.
    """
    _check(baseline, run)
    both = _comparable(baseline, run, results)
    if unknown := sorted(set(metrics) - set(both)):
        _refuse(unknown[0], uncompared(baseline, run, results), both)
    wanted = [each for each in METRICS if each in (metrics or both) and (metrics or METRICS[each].quality)]
    level = 1 - (1 - LEVEL) / max(1, len(wanted))
    found = _differences(baseline, run, results, wanted, level)
    return [each for each in found if each.outcome == "worse"]


def unjudged(
    baseline: Run,
    run: Run,
    results: tuple[Sequence[Result], Sequence[Result]],
    metrics: Collection[str] = (),
) -> list[LeftOut]:
    """Return what a gate should look at and cannot: the baseline's metrics of quality, unless `metrics` names others.

    While there is any, that no metric is worse means nothing.
    """
    if metrics:
        return []
    before = {metric for metric in _measured(results)[0] if METRICS[metric].quality}
    if not before:
        return [LeftOut((), "A has no metric of quality: name one, or measure more in it.")]
    reasons = uncompared(baseline, run, results)
    return [
        LeftOut(lost, each.reason)
        for each in reasons
        if (lost := tuple(metric for metric in each.metrics if metric in before))
    ]


def _refuse(metric: str, reasons: Iterable[LeftOut], both: Iterable[str]) -> None:
    for each in reasons:
        if metric in each.metrics:
            raise Invalid(f"{metric!r} is not compared. {each.reason}")
    raise Invalid(f"{metric!r:.50} was not measured in both runs. They have: {', '.join(sorted(both))}.")


def _check(first: Run, second: Run) -> None:
    for each in (first, second):
        if each.figures is None:
            raise Conflict(f"Run {each.run_id} is {each.state}: only runs that are done can be compared.")
    if first.digest != second.digest:
        raise Conflict(
            f"The runs are on different data ({first.dataset}, {second.dataset}): "
            "run both on the same dataset, and compare those."
        )


def _measured(results: tuple[Sequence[Result], Sequence[Result]]) -> tuple[set[str], set[str]]:
    first, second = ({metric for each in side for metric in each.scores} for side in results)
    return first, second


def _comparable(first: Run, second: Run, results: tuple[Sequence[Result], Sequence[Result]]) -> list[str]:
    without = {metric for each in uncompared(first, second, results) for metric in each.metrics}
    return [each for each in METRICS if each in _measured(results)[0] and each not in without]


def _differences(
    first: Run,
    second: Run,
    results: tuple[Sequence[Result], Sequence[Result]],
    metrics: Iterable[str],
    level: float,
) -> list[Difference]:
    sides = tuple({each.question_id: each.scores for each in side} for side in results)
    found = []
    for metric in metrics:
        pairs = _pairs(metric, sides[0], sides[1])
        if pairs:
            interval = paired([after - before for before, after in pairs], second.seed, level)
            means = [sum(side) / len(pairs) for side in zip(*pairs, strict=True)]
            found.append(_difference(metric, second.wanted.k, means, interval, level))
    return found


def _pairs(
    metric: str, first: Mapping[str, Mapping[str, float]], second: Mapping[str, Mapping[str, float]]
) -> list[tuple[float, float]]:
    return [
        (scores[metric], second[question][metric])
        for question, scores in first.items()
        if metric in scores and metric in second.get(question, {})
    ]


def _difference(metric: str, k: int, means: Sequence[float], interval: Interval, level: float) -> Difference:
    known = METRICS[metric]
    outcome: Outcome = "no difference shown"
    if interval.excludes_zero:
        outcome = "better" if (interval.mean > 0) is known.higher_is_better else "worse"
    verdict = _verdict(metric, interval, outcome, level).replace("@k", f"@{k}")
    return Difference(metric, means[0], means[1], interval, outcome, verdict)


def _verdict(metric: str, interval: Interval, outcome: Outcome, level: float) -> str:
    """What the difference means: "B is better at recall by 3.1 points, 95 % interval 1.0 to 5.2"."""
    known = METRICS[metric]
    scale, unit = (1.0, f" {known.unit}".rstrip()) if known.unit or metric == "cost" else (100.0, " points")
    low, high = interval.low * scale, interval.high * scale
    span = f"{level * 100:.4g} % interval"
    if outcome == "no difference shown":
        return (
            f"No difference is shown in {known.title}: {interval.mean * scale:+.1f}{unit}, "
            f"{span} {low:+.1f} to {high:+.1f}, {counted(interval.count, 'question')}."
        )
    ends = sorted((abs(low), abs(high)))
    return (
        f"B is {outcome} at {known.title} by {abs(interval.mean) * scale:.1f}{unit}, "
        f"{span} {ends[0]:.1f} to {ends[1]:.1f}, {counted(interval.count, 'question')}."
    )
