"""Only what the catalogue knows is written."""

from typing import Any
from uuid import uuid4

import pytest

from knowlog.bus import QUEUES, event_type, validated
from knowlog.kernel.errors import InternalError, Invalid


def test_what_fits_is_written_as_json_can_hold_it() -> None:
    """Ids become text, absent members stay absent."""
    given = uuid4()
    assert validated("document.deleted", {"collection_id": given, "blobs": ["a"]}) == {
        "collection_id": str(given),
        "blobs": ["a"],
    }


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("document.exploded", {}, "no event type 'document.exploded'"),
        ("document.received", {"version": 1}, "document.received .* size_bytes is missing"),
        ("document.received", {"version": 1, "size_bytes": "7"}, "size_bytes must be a whole number"),
        ("document.received", {"version": True, "size_bytes": 7}, "version must be a whole number"),
        ("document.received", {"version": 1, "size_bytes": -1}, "size_bytes must be at least 0"),
        ("document.received", {"version": 1, "size_bytes": 7, "size": 7}, "no member 'size'"),
        ("document.failed", {"version": 1, "reason": None}, "reason must be text"),
        ("document.deleted", {"collection_id": "x"}, "collection_id must be an id"),
    ],
)
def test_what_does_not_fit_names_type_and_member(name: str, data: dict[str, Any], sentence: str) -> None:
    """A fault of ours: only our own code writes events."""
    with pytest.raises(InternalError, match=sentence):
        validated(name, data)


def test_a_type_says_whose_work_it_is() -> None:
    """The queue, or nobody's."""
    assert event_type("document.received").queue == QUEUES["document.received"] == "documents"
    assert event_type("document.indexed").queue is None
    with pytest.raises(Invalid, match=r"Known are: document\.received"):
        event_type("x")
