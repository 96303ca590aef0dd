"""A large corpus out of a small one: sentences and vectors of real texts, joined anew."""

import random
import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_NOISE = 0.25


def recombined(
    texts: Sequence[str], vectors: NDArray[np.float32], number: int, seed: int = 0
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield `number` new texts, each with a vector, that are like the given ones and all different.

    A new text holds half of the sentences of one text and half of another's; its vector is their mean,
    moved by a quarter of its length in a random direction, of unit length. So no model is needed: embedding a
    hundred thousand texts would take a quarter of an hour.
    """
    chosen = random.Random(seed)  # noqa: S311 - repeatable, and keeps no secret
    noise = np.random.default_rng(seed)
    sentences = [_SENTENCE_END.split(text) for text in texts]
    for _ in range(number):
        first, second = chosen.randrange(len(texts)), chosen.randrange(len(texts))
        parts = [_half(sentences[first], chosen), _half(sentences[second], chosen)]
        direction = noise.standard_normal(vectors.shape[1], dtype=np.float32)
        mean = vectors[first] + vectors[second]
        moved = mean / np.linalg.norm(mean) + _NOISE * direction / np.linalg.norm(direction)
        yield " ".join(parts), (moved / np.linalg.norm(moved)).astype(np.float32)


def _half(sentences: list[str], chosen: random.Random) -> str:
    kept = sorted(chosen.sample(range(len(sentences)), (len(sentences) + 1) // 2))
    return " ".join(sentences[i] for i in kept)
