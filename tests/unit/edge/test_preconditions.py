"""ETag and If-Match."""

import pytest

from knowlog.edge import entity_tag, expected_revision
from knowlog.kernel.errors import BadRequest, PreconditionFailed


def test_a_tag_names_its_revision() -> None:
    """What an ETag gave out is understood again, whatever follows the revision."""
    assert expected_revision(entity_tag(7, "indexed", 2)) == 7
    assert expected_revision('"7"') == 7


@pytest.mark.parametrize("header", [None, "*", " * "])
def test_no_condition_matches_any_state(header: str | None) -> None:
    """Absent and * demand nothing."""
    assert expected_revision(header) is None


@pytest.mark.parametrize("header", ['W/"7"', '"abc"', '""', '"7x"'])
def test_a_tag_of_nobody_matches_nothing(header: str) -> None:
    """A weak tag, and one that no ETag gave out, fail the condition."""
    with pytest.raises(PreconditionFailed):
        expected_revision(header)


@pytest.mark.parametrize("header", ["7", "", '"7', '"7", "8"', "\u00e9"])
def test_what_is_no_tag_cannot_be_read(header: str) -> None:
    """Anything else is 400."""
    with pytest.raises(BadRequest):
        expected_revision(header)
