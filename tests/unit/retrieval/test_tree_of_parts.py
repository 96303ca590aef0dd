"""A document as a tree over its chunks' vectors."""

import numpy as np

from knowlog.retrieval.patterns.raptor import nearest_parts, parts_of


def test_parts_are_the_whole_and_what_belongs_together() -> None:
    """Two chapters of three chunks each are parted before anything else is."""
    one, other = np.eye(8, dtype=np.float32)[:2]
    near = np.eye(8, dtype=np.float32)[2:5] * 0.1
    vectors = np.stack([one + near[0], one + near[1], one + near[2], other + near[0], other + near[1], other])
    parts = [sorted(each.tolist()) for each in parts_of(vectors)]
    assert parts[0] == [0, 1, 2, 3, 4, 5]
    assert [0, 1, 2] in parts
    assert [3, 4, 5] in parts


def test_equal_vectors_are_one_part() -> None:
    """Nothing divides them, and nothing goes on for ever."""
    assert len(list(parts_of(np.ones((40, 8), np.float32)))) == 1


def test_a_chunk_has_the_nearest_of_the_parts_around_it() -> None:
    """One that says little by itself counts as its chapter does."""
    asked, other, dull = np.eye(8, dtype=np.float32)[:3]
    leaves = {1: asked, 2: asked, 3: (asked + dull) / np.sqrt(2), 4: other, 5: other, 6: other}
    near = nearest_parts({each: np.asarray(vector, np.float32) for each, vector in leaves.items()}, asked)
    assert near[3] > 0.9
    assert near[4] < 0.8
