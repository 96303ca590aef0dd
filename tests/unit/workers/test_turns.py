"""Claimed events are grouped into batches, and tenants take turns by weight."""

from collections import Counter
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowlog.bus import Event
from knowlog.kernel import now
from knowlog.workers.turns import Batch, Turns, split

ALICE, BOB = uuid4(), uuid4()


def event(
    size: int, kind: str = "document.received", tenant: UUID = ALICE, attempts: int = 1, weight: int = 1
) -> Event:
    return Event(tenant, uuid4(), kind, uuid4(), {"size_bytes": size}, attempts, now(), weight)


def sizes(batches: list[Batch]) -> list[list[int]]:
    return [[e.data["size_bytes"] for e in batch.events] for batch in batches]


def test_small_documents_travel_together() -> None:
    """What fits below the limit is one batch."""
    assert sizes(split([event(10), event(20), event(30)], 100)) == [[10, 20, 30]]


def test_what_was_lost_while_it_waited_does_not_begin() -> None:
    """Cancelled or taken over: the others of its batch begin, and a tenant with nothing left has no turn."""
    lost, kept, whole = event(1), event(2), event(3, tenant=BOB)
    turns = Turns(2)
    turns.add([Batch([lost, kept]), Batch([whole])])
    turns.drop({lost.event_id, whole.event_id})
    begun = turns.begin()
    assert begun is not None
    assert (begun.events, turns.begin(), turns.waiting()) == ([kept], None, Counter())


def test_a_large_document_goes_alone() -> None:
    """One that is larger than small ones are is a batch of its own."""
    assert sizes(split([event(10), event(100_000), event(20)], 200_000)) == [[10, 20], [100_000]]


def test_a_full_batch_is_followed_by_another() -> None:
    """Batches stay below the limit."""
    assert sizes(split([event(60), event(60), event(30)], 100)) == [[60], [60, 30]]


def test_what_was_begun_twice_before_goes_alone() -> None:
    """It may have been what ended its workers: it must not take others with it again."""
    events = [event(1), event(2, attempts=3), event(3, attempts=2)]
    assert sizes(split(events, 100)) == [[1, 3], [2]]


def test_types_and_tenants_are_not_mixed() -> None:
    """A batch holds events of one type and tenant."""
    batches = split([event(1), event(1, "document.deleted"), event(1, tenant=BOB), event(1)], 100)
    assert sorted(len(batch.events) for batch in batches) == [1, 1, 2]


def test_a_newcomer_does_not_wait_for_a_place() -> None:
    """All places are taken by one tenant; another's first batch begins nevertheless, its second does not."""
    turns = Turns(2)
    turns.add([Batch([event(1)]) for _ in range(5)])
    assert turns.begin()
    assert turns.begin()
    assert turns.begin() is None
    turns.add([Batch([event(1, tenant=BOB)]), Batch([event(1, tenant=BOB)])])
    begun = turns.begin()
    assert begun is not None
    assert begun.tenant_id == BOB
    assert turns.begin() is None
    turns.end(begun)
    again = turns.begin()
    assert again is not None
    assert again.tenant_id == BOB


def test_large_documents_do_not_hold_up_small_ones() -> None:
    """They have a place of their own."""
    turns = Turns(1)
    turns.add([Batch([event(10**6)]), Batch([event(10**6)]), Batch([event(1)])])
    first, second = turns.begin(), turns.begin()
    assert first is not None
    assert second is not None
    assert {first.lane, second.lane} == {"large", "small"}
    assert turns.begin() is None


@given(st.integers(1, 5), st.integers(1, 5))
def test_service_follows_weights(alices: int, bobs: int) -> None:
    """Of two tenants with endless work, each is served in proportion to its weight."""
    turns, served = Turns(1), Counter()
    turns.add([Batch([event(1, tenant=ALICE, weight=alices)]) for _ in range(200)])
    turns.add([Batch([event(1, tenant=BOB, weight=bobs)]) for _ in range(200)])
    for _ in range(100):
        batch = turns.begin()
        assert batch is not None
        served[batch.tenant_id] += 1
        turns.end(batch)
    assert abs(served[ALICE] / 100 - alices / (alices + bobs)) < 0.05


def test_who_was_idle_does_not_catch_up() -> None:
    """A tenant that comes back has no claim on the time it did not use."""
    turns, served = Turns(1), Counter()
    turns.add([Batch([event(1)]) for _ in range(100)])
    for _ in range(50):
        batch = turns.begin()
        assert batch is not None
        turns.end(batch)
    turns.add([Batch([event(1, tenant=BOB)]) for _ in range(100)])
    for _ in range(20):
        batch = turns.begin()
        assert batch is not None
        served[batch.tenant_id] += 1
        turns.end(batch)
    assert abs(served[BOB] - 10) <= 1


def test_one_tenant_takes_a_part_of_the_places_for_waiting_on_others() -> None:
    """Endpoints that hang hold a quarter of them; another tenant's begin at once."""
    turns = Turns(2, 32)
    turns.add(split([event(0, "delivery.requested") for _ in range(20)], 100))
    begun = [turns.begin() for _ in range(8)]
    assert all(begun)
    assert turns.begin() is None
    turns.add(split([event(0, "delivery.requested", BOB), event(10)], 100))
    assert {turns.begin().type, turns.begin().type} == {"delivery.requested", "document.received"}
    turns.end(begun[0])
    assert turns.begin().tenant_id == ALICE


def test_where_it_is_crowded_a_newcomer_comes_in_all_the_same() -> None:
    """Eight tenants with whole batches do not keep a ninth from the places that are free for who has nothing running."""
    turns, crowd = Turns(2), [uuid4() for _ in range(8)]
    turns.add([Batch([event(1, tenant=each)] * 10) for each in crowd[:7]])
    assert turns.room(10) == (10, crowd[:7])
    turns.add([Batch([event(1, tenant=crowd[7])] * 10)])
    assert turns.room(10) == (1, crowd)


def test_what_is_taken_has_a_bound() -> None:
    """However many tenants come."""
    turns = Turns(2)
    while turns.room(10)[0]:
        turns.add([Batch([event(1, tenant=uuid4())] * 10)])
    assert turns.waiting().total() <= 2 * 8 * 10


def test_beyond_the_places_a_few_events_begin_and_the_rest_waits() -> None:
    """Or nine tenants with much would hold the places that are kept for a tenth as long as their own."""
    turns, crowd = Turns(2), [uuid4() for _ in range(9)]
    turns.add([Batch([event(1, tenant=each) for _ in range(48)]) for each in crowd])
    begun = [turns.begin() for _ in range(6)]
    assert [len(each.events) for each in begun if each] == [12, 48, 4, 4, 4, 4]
    assert turns.begin() is None
    assert turns.waiting().total() == 9 * 48 - 76


def test_where_nothing_runs_a_few_begin_ahead_of_the_others() -> None:
    """So that they are embedded while the next are read. Once something runs, whole batches begin."""
    turns = Turns(2)
    turns.add([Batch([event(1) for _ in range(48)]), Batch([event(1) for _ in range(48)])])
    begun = [each for each in (turns.begin(), turns.begin()) if each]
    assert [len(each.events) for each in begun] == [12, 36]
    turns.end(begun[0])
    assert [len(each.events) for each in (turns.begin(),) if each] == [48]


def test_with_one_place_whole_batches_begin() -> None:
    """There is nobody to begin ahead of: each batch would be a quarter of what it may be."""
    turns = Turns(1)
    turns.add([Batch([event(1) for _ in range(48)]), Batch([event(1) for _ in range(48)])])
    begun = turns.begin()
    assert begun is not None
    assert len(begun.events) == 48
    assert turns.begin() is None
    turns.end(begun)
    assert [len(each.events) for each in (turns.begin(),) if each] == [48]


def test_what_comes_while_others_of_its_tenant_wait_joins_them() -> None:
    """Many tenants' claims bring a few events of each: they are handled together, up to both limits."""
    turns, first, second = Turns(1, together=3), [event(10), event(20)], [event(30)]
    turns.add(split(first, 100))
    turns.add(split([*second, event(1, "document.deleted"), event(1, tenant=BOB)], 100))
    turns.add(split([event(40)], 100))
    begun = turns.begin()
    assert begun is not None
    assert begun.events == first + second
    assert turns.waiting() == {ALICE: 2, BOB: 1}


@pytest.mark.parametrize("other", [
    event(41), event(1, attempts=3), event(100_000), event(1, "delivery.requested")
])  # fmt: skip
def test_what_goes_alone_or_does_not_fit_joins_nothing(other: Event) -> None:
    """Neither what waits takes it in, nor it what comes behind it."""
    turns = Turns(9, 9)
    for each in ([event(60)], [other], [event(1)]):
        turns.add(split(each, 100))
    begun = [turns.begin(), turns.begin()]
    assert [each.events for each in begun if each and other in each.events] == [[other]]


def test_who_ends_beyond_the_places_gives_back_one_beyond_them() -> None:
    """Else many tenants would never begin more than a few events at once, however many wait."""
    turns, crowd = Turns(1), [uuid4() for _ in range(9)]
    turns.add([Batch([event(1, tenant=each) for _ in range(48)]) for each in crowd])
    begun = [turns.begin() for _ in range(5)]
    assert all(begun)
    turns.end(begun[1])
    assert len(turns.begin().events) == 4
    turns.end(begun[0])
    assert len(turns.begin().events) == 48
    assert turns.begin() is None
