"""How much each sentence says of the whole, and how little of that was said already.

Centrality is LexRank (Erkan and Radev 2004, https://doi.org/10.1613/jair.1523): the stationary distribution of a walk
from sentence to sentence by the cosines of their words, each word weighed by how few sentences have it. What stands early
in its document counts more. Then the sentences are taken one by one by maximal marginal relevance (Carbonell and
Goldstein 1998, https://doi.org/10.1145/290941.291025), and each is worth what it had when its turn came: so what repeats
another is worth less, and the values can be added up. Decision 20 has the figures of what else was tried.
"""

from collections import Counter
from collections.abc import Sequence
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from knowlog.stores import lexemes
from knowlog.summarizing.model import Quotable

MOST = 400
"""So many sentences are compared with each other; of more, the most central by their words alone."""
_DAMPING = 0.85
_ROUNDS = 50
_EARLY = 1.0
"""The last sentence of a document counts exp(-_EARLY) of what the first does."""
_RELEVANCE = 0.7
"""Weight of centrality against what was said already."""

Matrix = NDArray[np.float32]


def worths(found: Sequence[Quotable], relevance: Sequence[float] | None = None) -> list[float]:
    """Return what each sentence is worth for one word of a summary, 0 to 1, in the order given.

    `relevance` (0 to 1, each) makes more of what concerns a topic. Of more than `MOST` sentences, the least central are
    worth 0.
    """
    if not found:
        return []
    words = [Counter(lexemes(each.text)) for each in found]
    early = np.array([each.weight * exp(-_EARLY * each.place) for each in found], np.float32)
    if relevance is not None:
        early *= np.asarray(relevance, np.float32) ** 2
    kept = _most_central(words, early)
    cosines = _cosines([words[each] for each in kept])
    centrality = _walk(cosines) * early[kept]
    gains = _one_by_one(centrality / max(float(centrality.max()), 1e-9), cosines)
    worth = np.zeros(len(found))
    worth[kept] = gains
    return [float(each) for each in worth]


def _most_central(words: Sequence[Counter[str]], early: Matrix) -> list[int]:
    """The places of at most MOST sentences, in their order: those that share most words with all the others."""
    if len(words) <= MOST:
        return list(range(len(words)))
    holding = Counter(word for each in words for word in each)
    central = [
        weight * sum(log(holding[word]) for word in each) / (1 + len(each)) ** 0.5
        for each, weight in zip(words, early, strict=True)
    ]
    return sorted(sorted(range(len(words)), key=lambda place: -central[place])[:MOST])


def _cosines(words: Sequence[Counter[str]]) -> Matrix:
    """The cosines of all pairs of sentences, by their words."""
    columns = {word: place for place, word in enumerate(dict.fromkeys(w for each in words for w in each))}
    rows = np.zeros((len(words), max(1, len(columns))), np.float32)
    for place, each in enumerate(words):
        for word, times in each.items():
            rows[place, columns[word]] = 1 + log(times)
    rows *= np.log(1 + len(words) / np.maximum(1, (rows > 0).sum(axis=0)))
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(norms > 0, norms, 1)
    return np.asarray(rows @ rows.T, np.float32)


def _walk(cosines: Matrix) -> Matrix:
    """How often a walk from sentence to sentence comes by each."""
    steps = cosines.copy()
    np.fill_diagonal(steps, 0)
    steps /= np.maximum(steps.sum(axis=1, keepdims=True), 1e-9)
    share = np.full(len(steps), 1 / len(steps), np.float32)
    for _ in range(_ROUNDS):
        share = (1 - _DAMPING) / len(steps) + _DAMPING * (steps.T @ share)
    return np.asarray(share, np.float32)


def _one_by_one(centrality: Matrix, cosines: Matrix) -> Matrix:
    """Take the sentences by maximal marginal relevance. Returns what each had at its turn, 0 or more."""
    said = np.zeros(len(centrality), np.float32)
    left = np.ones(len(centrality), bool)
    gains = np.zeros(len(centrality), np.float32)
    for _ in range(len(centrality)):
        worth = _RELEVANCE * centrality + (1 - _RELEVANCE) * (1 - said)
        place = int(np.argmax(np.where(left, worth, -1)))
        gains[place], left[place] = worth[place], False
        said = np.maximum(said, cosines[place])
    return gains
