"""Vectors of the pieces of a text, for the strategies that cut where its meaning changes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from knowlog.chunking.tokens import Range
from knowlog.chunking.work import Work
from knowlog.kernel.errors import Invalid

_AT_ONCE = 512


def vectors_of(work: Work, pieces: Sequence[Range]) -> NDArray[np.float32]:
    """Return one vector of length 1 for each range of tokens. Raises Invalid where there is no model to make them."""
    embed = work.models.embed
    if embed is None:
        raise Invalid(
            f"The strategy {work.profile.strategy} compares sentences by their vectors, and there is no embedding"
            " model here. Choose another strategy."
        )
    texts = [work.text[work.tokens.start(first) : work.tokens.start(end)].strip() for first, end in pieces]
    made = [embed(texts[start : start + _AT_ONCE]) for start in range(0, len(texts), _AT_ONCE)]
    vectors = np.concatenate(made)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
