"""Range headers."""

import pytest

from knowlog.edge.ranges import RangeNotSatisfiable, wanted_span


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("bytes=0-9", (0, 10)),
        ("bytes=90-", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=50-1000", (50, 100)),
        ("bytes=50-99999999999999999999", (50, 100)),
        ("bytes=9-3", None),
        ("bytes=0-1,5-6", None),
        ("bytes=-", None),
        ("lines=1-2", None),
        ("nonsense", None),
    ],
)
def test_one_range_is_read_and_others_are_passed_over(
    header: str | None, span: tuple[int, int] | None
) -> None:
    """As the standard has it."""
    assert wanted_span(header, 100) == span


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999-"])
def test_a_range_behind_the_end_is_refused(header: str) -> None:
    """416."""
    with pytest.raises(RangeNotSatisfiable):
        wanted_span(header, 100)
