"""Metrics of rankings, against trec_eval's own code as ir_measures runs it, and at their edges."""

import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, nDCG

from knowlog.evaluation import average_precision, ndcg, precision, recall, reciprocal_rank

_IDS = [f"d{number}" for number in range(12)]
_RANKINGS = st.lists(st.sampled_from(_IDS), unique=True, min_size=1)
_RELEVANCE = st.dictionaries(st.sampled_from(_IDS), st.integers(0, 3), min_size=1)


@given(_RANKINGS, _RELEVANCE.filter(lambda each: any(each.values())))
def test_rankings_are_scored_as_trec_eval_scores_them(ranking, relevance) -> None:
    """Recall, precision, MRR, MAP and nDCG, on rankings and graded judgements of all kinds."""
    run = {"q": {each: float(len(ranking) - place) for place, each in enumerate(ranking)}}
    measures = [R @ 5, P @ 5, RR, AP, nDCG @ 5]
    theirs = ir_measures.calc_aggregate(measures, {"q": relevance}, run)
    ours = {
        R @ 5: recall(ranking, relevance, 5),
        P @ 5: precision(ranking, relevance, 5),
        RR: reciprocal_rank(ranking, relevance),
        AP: average_precision(ranking, relevance),
        nDCG @ 5: ndcg(ranking, relevance, 5),
    }
    assert ours == pytest.approx(theirs, abs=1e-6)


def test_where_nothing_is_relevant_nothing_is_gained() -> None:
    """And a search that found nothing scores 0."""
    assert (precision(["a"], {"a": 0}, 5), reciprocal_rank(["a"], {}), average_precision(["a"], {})) == (
        0,
        0,
        0,
    )
    assert (precision([], {"a": 1}, 5), reciprocal_rank([], {"a": 1}), average_precision([], {"a": 1})) == (
        0,
        0,
        0,
    )
