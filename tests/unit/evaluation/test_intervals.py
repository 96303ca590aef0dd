"""How sure figures are, and what two runs differ in."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pytest

from knowlog.evaluation import (
    Figure,
    Result,
    Run,
    Wanted,
    bootstrap,
    compare,
    regressions,
    uncompared,
    unjudged,
)
from knowlog.evaluation.statistics import paired
from knowlog.kernel.errors import Conflict, Invalid

_WHEN = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run(
    UUID(int=1), UUID(int=2), "questions", "real", UUID(int=3), "handbook", UUID(int=4), "A", "done", None, Wanted(), 7,
    "digest", 100, 100, "0.1.0", 1, {}, {"recall": Figure(0.5, 0.4, 0.6, 100)}, _WHEN, "key:alice", _WHEN,
)  # fmt: skip


def results(recalls, latency_ms=10.0) -> list[Result]:
    """Results with these recalls."""
    return [
        Result(number, f"q{number}", {"recall": float(each), "latency_ms": latency_ms}, {})
        for number, each in enumerate(recalls, start=1)
    ]


def test_an_interval_holds_the_true_mean_as_often_as_it_says() -> None:
    """Of 200 samples of a known mean, 95 % intervals hold it in about 95 of 100."""
    random = np.random.default_rng(3)
    intervals = [bootstrap(random.normal(5, 2, 60), seed) for seed in range(200)]
    assert 0.88 <= np.mean([each.low <= 5 <= each.high for each in intervals]) <= 0.99


def test_the_same_seed_gives_the_same_interval() -> None:
    """A run can be repeated to the last digit; another seed moves the ends a little."""
    values = list(np.random.default_rng(1).random(50))
    assert bootstrap(values, 7) == bootstrap(values, 7) != bootstrap(values, 8)
    with pytest.raises(ValueError, match="no values"):
        bootstrap([], 1)


def test_a_verdict_says_by_how_much_and_how_sure() -> None:
    """Ten of a hundred questions are found that were not: B is better by ten points."""
    before, after = results([0] * 60 + [1] * 40), results([0] * 50 + [1] * 50)
    (recall, latency) = compare(RUN, replace(RUN, label="B"), (before, after))
    assert recall.outcome == "better"
    assert recall.verdict.startswith("B is better at Recall@5 by 10.0 points, 95 % interval 4.0 to 16.0")
    assert latency.outcome == "no difference shown"


def test_runs_are_paired_by_question() -> None:
    """Every question a little worse: unpaired noise hides that, pairs show it."""
    recalls = np.random.default_rng(5).random(100)
    (found,) = regressions(RUN, RUN, (results(recalls), results(recalls - 0.02)))
    assert (found.metric, found.outcome) == ("recall", "worse")


@pytest.mark.parametrize(("count", "outcome"), [(1, None), (3, None), (5, None), (12, "worse")])
def test_a_few_questions_prove_nothing(count: int, outcome: str | None) -> None:
    """Each is worse by the same, so that to draw from them anew tells nothing: three signs may agree by chance."""
    sides = (results([1] * count), results([0] * count))
    assert [each.outcome for each in regressions(RUN, RUN, sides)] == ([outcome] if outcome else [])
    recall = compare(RUN, RUN, sides)[0]
    assert recall.difference.excludes_zero is (outcome is not None)


@pytest.mark.parametrize("count", [2, 5, 10, 40])
def test_where_nothing_differs_a_verdict_comes_as_rarely_as_it_says(count: int) -> None:
    """Five times in a hundred, however few the questions; the bootstrap alone has half of a hundred with two."""
    random = np.random.default_rng(count)
    told = [paired(random.normal(size=count), seed).excludes_zero for seed in range(200)]
    assert np.mean(told) <= 0.09


def test_a_gate_looks_at_quality_unless_told_otherwise() -> None:
    """A slower run passes; where latency is named, it does not."""
    slower = (results([1] * 50), results([1] * 50, latency_ms=20))
    assert regressions(RUN, RUN, slower) == []
    assert [each.metric for each in regressions(RUN, RUN, slower, ["latency_ms"])] == ["latency_ms"]
    with pytest.raises(Invalid, match="'ndcg' was not measured in both runs"):
        regressions(RUN, RUN, slower, ["ndcg"])


def test_what_was_measured_differently_is_left_out_and_shuts_the_gate() -> None:
    """Another depth, judge, group or price: the difference would say nothing about the profile."""
    other = replace(RUN, wanted=Wanted(k=10, measures=("retrieval",)), made_with={"judge": "another"})
    sides = (scored("recall", "faithfulness", "latency_ms"), scored("recall", "faithfulness", "latency_ms"))
    assert compare(RUN, other, sides) == []
    told = {metric: each.reason for each in uncompared(RUN, other, sides) for metric in each.metrics}
    assert told["recall"] == "A looks at 5 passages and B at 10: give both the same k."
    assert "judged by None and B by another" in told["faithfulness"]
    assert "A timed answers from 10 passages and B searches" in told["latency_ms"]
    assert [each.metrics for each in unjudged(RUN, other, sides)] == [("recall",), ("faithfulness",)]
    with pytest.raises(Invalid, match="'recall' is not compared"):
        regressions(RUN, other, sides, ["recall"])


def test_a_gate_that_has_nothing_to_look_at_does_not_pass() -> None:
    """The newer one lacks what the older measured; or the older measured nothing of quality."""
    (lost,) = unjudged(RUN, RUN, (scored("recall", "abstention"), scored("recall")))
    assert (lost.metrics, lost.reason) == (
        ("abstention",),
        "Only A has figures on it: let both measure the same.",
    )
    assert unjudged(RUN, RUN, (scored("recall"), scored("recall", "abstention"))) == []
    assert unjudged(RUN, RUN, (scored("recall", "abstention"), scored("recall")), ["recall"]) == []
    assert "no metric of quality" in unjudged(RUN, RUN, (scored("latency_ms"), scored("recall")))[0].reason


def scored(*metrics: str) -> list[Result]:
    """Thirty results, each with half of what these metrics give."""
    return [Result(number, f"q{number}", dict.fromkeys(metrics, 0.5), {}) for number in range(30)]


def test_runs_on_other_data_are_not_compared() -> None:
    """Nor one that has no figures yet."""
    sides = (results([1]), results([1]))
    with pytest.raises(Conflict, match="different data"):
        compare(RUN, replace(RUN, digest="other"), sides)
    with pytest.raises(Conflict, match="is running"):
        compare(RUN, replace(RUN, state="running", figures=None), sides)
