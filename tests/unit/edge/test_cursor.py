"""Cursors of paged lists."""

from base64 import urlsafe_b64encode
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowlog.edge import decode_cursor, encode_cursor
from knowlog.kernel.errors import BadRequest


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.uuids(),
    st.text(max_size=50).filter(lambda text: "\0" not in text),
)
def test_a_cursor_comes_back_as_it_was(moment: datetime, some_id: UUID, name: str) -> None:
    """Times to the microsecond, ids and any text survive."""
    assert decode_cursor(encode_cursor(moment, some_id, name), datetime, UUID, str) == (moment, some_id, name)


def test_no_cursor_is_the_first_page() -> None:
    """None stays None."""
    assert decode_cursor(None, UUID) is None


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "é", "====", "a" * 501, encode_cursor("name"), encode_cursor("a", "b"),
     urlsafe_b64encode(b'["2026-01-01T00:00:00"]').decode(), urlsafe_b64encode(b"{}").decode(),
     urlsafe_b64encode(b"[null]").decode(), urlsafe_b64encode(b"[1]").decode(),
     urlsafe_b64encode(b"17").decode(),
     urlsafe_b64encode(b'["0001-01-01T00:00:00+14:00"]').decode(),
     urlsafe_b64encode(b'["9999-12-31T23:59:59-14:00"]').decode()],
)  # fmt: skip
def test_what_no_list_gave_out_is_refused(cursor: str) -> None:
    """A forged or cut cursor is 400, never 500."""
    with pytest.raises(BadRequest, match="cursor"):
        decode_cursor(cursor, datetime)


@given(st.text(max_size=100))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    """Nothing else can happen."""
    with suppress(BadRequest):
        found = decode_cursor(text, UUID, str)
        assert found is not None
        assert [type(each) for each in found] == [UUID, str]
