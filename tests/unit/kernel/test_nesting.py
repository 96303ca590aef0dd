"""How deep JSON may be nested."""

import pytest

from knowlog.documents import check_metadata
from knowlog.kernel.errors import Invalid
from knowlog.kernel.nesting import MOST_LEVELS, too_deep


def nested(levels: int) -> dict[str, object]:
    """An object with so many levels, the inner ones lists."""
    value: object = []
    for _ in range(levels - 2):
        value = [value]
    return {"a": value}


@pytest.mark.parametrize(("value", "deep"), [
    ("text", False), (None, False), ({}, False), (nested(MOST_LEVELS), False), (nested(MOST_LEVELS + 1), True),
    ([1] * 100 + [nested(MOST_LEVELS)], True), (nested(100_000), True),
])  # fmt: skip
def test_levels_are_counted_wherever_they_are(value: object, deep: bool) -> None:
    """As many as 32 pass, however wide; the interpreter's stack plays no part."""
    assert too_deep(value) is deep


def test_deep_metadata_is_refused() -> None:
    """Metadata that could be stored and not be written out again is never stored."""
    check_metadata(nested(MOST_LEVELS), 64)
    with pytest.raises(Invalid, match="nested"):
        check_metadata(nested(252), 64)
