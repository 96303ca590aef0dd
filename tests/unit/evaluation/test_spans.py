"""Measures over spans, against values worked out by hand and against counting single code points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowlog.evaluation import precision_omega, span_iou, span_precision, span_recall

_RANGE = st.tuples(st.integers(0, 30), st.integers(1, 9)).map(lambda each: (each[0], each[0] + each[1]))
_RANGES = st.lists(_RANGE, min_size=1, max_size=6)


def _points(ranges) -> set[int]:
    return {point for start, end in ranges for point in range(start, end)}


def test_spans_are_measured_by_their_lengths() -> None:
    """Half of an excerpt of ten, among forty read: recall 0.5, precision 5/40, IoU 5/45."""
    retrieved, excerpts = [(0, 25), (100, 115)], [(20, 30)]
    assert span_recall(retrieved, excerpts) == 0.5
    assert span_precision(retrieved, excerpts) == 5 / 40
    assert span_iou(retrieved, excerpts) == 5 / 45


def test_what_is_retrieved_twice_is_found_once_and_read_twice() -> None:
    """An overlap does not raise recall, and it costs precision, as in the report."""
    assert span_recall([(0, 10), (0, 10)], [(0, 20)]) == 0.5
    assert span_precision([(0, 10), (0, 10)], [(0, 20)]) == 0.5


def test_precision_omega_takes_every_chunk_that_touches_an_excerpt() -> None:
    """Chunks of ten, an excerpt [15, 20): the second chunk holds it, and the third begins where it ends."""
    assert precision_omega([(0, 10), (10, 20), (20, 30), (30, 40)], [(15, 20)]) == 5 / 20


def test_nothing_retrieved_is_no_error_but_no_excerpt_is() -> None:
    """A search may find nothing; a question without an excerpt cannot be measured."""
    assert (span_recall([], [(0, 5)]), span_precision([], [(0, 5)]), span_iou([], [(0, 5)])) == (0, 0, 0)
    for measure in (span_recall, span_iou, precision_omega):
        with pytest.raises(ValueError, match="give an excerpt"):
            measure([(0, 5)], [])


@given(_RANGES, _RANGES)
def test_the_measures_count_code_points(retrieved, excerpts) -> None:
    """The same figures come out when each code point is counted by itself."""
    found, wanted = len(_points(retrieved) & _points(excerpts)), len(_points(excerpts))
    read = sum(end - start for start, end in retrieved)
    assert span_recall(retrieved, excerpts) == found / wanted
    assert span_precision(retrieved, excerpts) == found / read
    assert span_iou(retrieved, excerpts) == found / (read + wanted - found)
    touching = [r for r in retrieved if any(r[0] <= e[1] and e[0] <= r[1] for e in excerpts)]
    omega = found / len(_points(touching) | _points(excerpts))
    assert precision_omega(retrieved, excerpts) == pytest.approx(omega)
