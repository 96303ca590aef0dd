"""Vectors of tokens: compared, and kept for a while."""

import numpy as np

from knowlog.embedding.tokens import Shelf, compact, max_sim

ROWS = compact(np.eye(4, 8, dtype=np.float32))


def test_a_text_is_as_near_as_its_best_token_for_each_that_is_asked() -> None:
    """However many others it has; and 0 where either says nothing."""
    assert max_sim(ROWS[:2], ROWS) == 1.0
    assert max_sim(ROWS, ROWS[:1]) == 0.25
    assert max_sim(ROWS[:0], ROWS) == max_sim(ROWS, ROWS[:0]) == 0.0


def test_the_shelf_is_never_larger_than_it_may_be() -> None:
    """What was longest not asked for goes first; what is larger than the shelf is not kept."""
    shelf = Shelf(2 * ROWS.nbytes)
    for text in ("one", "two"):
        shelf.put("alice", text, ROWS)
    assert shelf.get("alice", "one") is not None
    shelf.put("alice", "three", ROWS)
    assert [shelf.get("alice", text) is None for text in ("one", "two", "three")] == [False, True, False]
    shelf.put("alice", "four", np.zeros((9, 8), np.int8))
    assert shelf.get("alice", "four") is None
    assert shelf.get("alice", "one") is not None


def test_nobody_is_served_from_the_shelf_of_others() -> None:
    """Whether a tenant has read a text is not told to another by the time that it takes."""
    shelf = Shelf(1000)
    shelf.put("alice", "a text", ROWS)
    assert shelf.get("bob", "a text") is None
