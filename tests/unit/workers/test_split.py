"""Claimed events are grouped so that small documents travel together and large ones alone."""

from uuid import uuid4

from knowlog.bus import Event
from knowlog.workers.loop import split


def event(size: int, kind: str = "document.received") -> Event:
    return Event(uuid4(), uuid4(), kind, uuid4(), {"size_bytes": size}, 1)


def sizes(batches: list[list[Event]]) -> list[list[int]]:
    return [[e.data["size_bytes"] for e in batch] for batch in batches]


def test_small_documents_travel_together() -> None:
    """What fits below the limit is one batch."""
    assert sizes(split([event(10), event(20), event(30)], 100)) == [[10, 20, 30]]


def test_a_large_document_goes_alone() -> None:
    """One that is larger than the limit is a batch of its own."""
    assert sizes(split([event(10), event(500), event(20)], 100)) == [[10], [500], [20]]


def test_types_are_not_mixed() -> None:
    """A batch holds events of one type."""
    batches = split([event(1), event(1, "document.deleted"), event(1)], 100)
    assert sorted(len(batch) for batch in batches) == [1, 2]
