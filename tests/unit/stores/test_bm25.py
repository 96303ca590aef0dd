"""What a term weighs."""

from collections import Counter

import pytest

from knowlog.stores import bm25


def test_a_term_weighs_less_than_its_limit_however_often_it_occurs() -> None:
    """The weight saturates below K1 + 1."""
    weights = [bm25.weigh(Counter({7: count, 8: 50}), 50)[7] for count in (1, 2, 10, 1000)]
    assert weights == sorted(weights)
    assert weights[-1] < bm25.K1 + 1


def test_a_term_of_an_average_chunk_weighs_one() -> None:
    """tf = 1 in a chunk of average length gives exactly 1."""
    assert bm25.weigh(Counter({1: 1, 2: 99}), 100)[1] == pytest.approx(1)


def test_rare_terms_tell_more() -> None:
    """Inverse frequency falls as more chunks hold a term, and is never negative."""
    values = [bm25.inverse_frequency(1000, holding) for holding in (0, 1, 10, 500, 1000)]
    assert values == sorted(values, reverse=True)
    assert values[-1] > 0


def test_statistics_that_lag_behind_do_no_harm() -> None:
    """More chunks holding a term than there are chunks counts as all of them."""
    assert bm25.inverse_frequency(3, 5) > 0


def test_few_chunks_lean_on_a_prior() -> None:
    """One short chunk does not make the average short; ten thousand do."""
    assert bm25.average_length(10, 1) > 100
    assert bm25.average_length(100_000, 10_000) == pytest.approx(10, rel=0.02)


@pytest.mark.parametrize("count", [0, 1, 8, 9, 100, 4096, 4097, 4401, 8109, 100_000])
def test_rough_counts_are_steps_that_hide_single_chunks_and_keep_the_order(count: int) -> None:
    """Never below the count, an eighth above it at most but for the smallest."""
    rough = bm25.roughly(count)
    assert count <= rough <= max(count + 8, count * 9 / 8)
    assert rough % 8 == 0
    assert rough <= bm25.coarse(count)
    assert bm25.roughly(rough) == rough
