"""Cursors hide the position, and are made by nobody who has not the key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowlog.bus.cursors import BEGINNING, seal, unseal
from knowlog.kernel.errors import Invalid

KEY, OTHER = b"k" * 32, b"o" * 32
POSITIONS = st.integers(0, 2**63 - 1)


@given(position=POSITIONS)
def test_a_cursor_is_read_with_its_key(position: int) -> None:
    """And is the same each time."""
    assert unseal(KEY, seal(KEY, position)) == position
    assert seal(KEY, position) == seal(KEY, position)


@given(position=POSITIONS)
def test_another_key_reads_nothing(position: int) -> None:
    """Neither its own position nor any other."""
    with pytest.raises(Invalid, match="no cursor of your log"):
        unseal(OTHER, seal(KEY, position))


@given(text=st.one_of(st.text(), st.from_regex("[0-9a-f]{32}", fullmatch=True)))
def test_what_was_made_up_is_refused(text: str) -> None:
    """Whatever its form."""
    if text != BEGINNING:
        with pytest.raises(Invalid):
            unseal(KEY, text)


def test_neighbours_have_nothing_in_common() -> None:
    """Half of the bits differ, about: the order cannot be told."""
    one, other = (int(seal(KEY, position), 16) for position in (1000, 1001))
    assert 30 < (one ^ other).bit_count() < 98
