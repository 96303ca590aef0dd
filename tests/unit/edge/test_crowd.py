"""Who asks far more than its share in an overload is refused unseen; nobody else is, and nothing is left over."""

from contextlib import ExitStack

import pytest

from knowlog.edge.crowd import Crowd, credential
from knowlog.kernel.errors import Unavailable
from knowlog.resilience import AdaptiveLimit, Turns


class Pressed(Turns):
    """Turns of which too many want one."""

    pressed = True


def under_way(crowd: Crowd, stack: ExitStack, sender: bytes) -> int:
    """Ask until refused; how many were let in."""
    for count in range(1000):
        try:
            stack.enter_context(crowd.one_more(sender))
        except Unavailable:
            return count
    return 1000


def test_in_an_overload_one_credential_has_its_share_under_way() -> None:
    """What goes on with others takes nothing from it."""
    turns = Pressed(AdaptiveLimit(first=8))
    crowd = Crowd(turns)
    with ExitStack() as stack:
        assert under_way(crowd, stack, b"one") == under_way(crowd, stack, b"other") == turns.bearable
        assert turns.refused == 2


def test_afterwards_it_may_ask_again() -> None:
    """Questions that have ended do not count, failed ones neither."""
    crowd = Crowd(Pressed(AdaptiveLimit(first=8)))
    for _ in range(100):
        with pytest.raises(KeyError), crowd.one_more(b"one"):
            raise KeyError
    with crowd.one_more(b"one"):
        pass


def test_who_waits_for_others_only_is_not_counted() -> None:
    """It has given its turn back, and is counted off once."""
    crowd = Crowd(Pressed(AdaptiveLimit(first=8)))
    with ExitStack() as stack:
        for _ in range(100):
            has_ended = stack.enter_context(crowd.one_more(b"one"))
            has_ended()
        assert under_way(crowd, stack, b"one") == under_way(crowd, stack, b"other") > 0


def test_without_an_overload_nobody_is_refused() -> None:
    """A burst waits for its turns."""
    with ExitStack() as stack:
        assert under_way(Crowd(Turns(AdaptiveLimit(first=8))), stack, b"one") == 1000


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({b"authorization": b"Bearer a", b"cookie": b"b"}, b"Bearer a"),
        ({b"cookie": b"b"}, b"b"),
        ({}, b""),
    ],
)
def test_a_key_goes_before_a_cookie(headers: dict[bytes, bytes], expected: bytes) -> None:
    """As for who is asked in earnest."""
    assert credential(headers) == expected
