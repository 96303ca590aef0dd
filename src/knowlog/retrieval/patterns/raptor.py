"""RAPTOR: a document as a tree of parts of parts, and each chunk counts together with the parts around it.

After Sarthi et al. 2024, https://arxiv.org/abs/2401.18059, "collapsed tree": every node of every level is compared
with the question. Theirs are summaries that a language model wrote of clusters of chunks. Here a part is the mean of
its chunks' vectors, and the tree is made while the question is asked, of chunks that this caller finds and no others,
each tree of one document: nothing is stored, nothing gets stale, and no node mixes what different people may see.
Parts are divided where their chunks differ most (Boley 1998, "Principal Direction Divisive Partitioning").
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from knowlog.retrieval.looking import Candidates, Legs, Looking
from knowlog.retrieval.merging import weighed
from knowlog.stores import Vectors

_DOCUMENTS_BY = 10
"""So many of the best chunks say which documents are read as trees."""
_REACH = 40
_MOST_LEAVES = 600
_SMALLEST = 3
"""A part of fewer chunks is not divided."""
_ROUNDS = 8
_SHARE = 0.3
"""What the part around a chunk counts beside the chunk itself."""


class Raptor:
    """Both legs, and the parts of documents around what they find."""

    name = "raptor"
    needs_llm = False

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        async with looking.snapshot() as legs:
            first = await looking.find()
            near = await _near_parts(legs, first)
            looking.did("compared parts of documents", chunks=len(near))
            if not near:
                return first
            ids = dict.fromkeys([*(each.chunk_id for each in first.fused), *near])
            fused = await legs.rank(first.statistics, first.questions, list(ids))
            return weighed(looking, replace(first, fused=fused), near, _SHARE)


async def _near_parts(legs: Legs, first: Candidates) -> dict[int, float]:
    """Each chunk of the best documents, and the cosine of the part around it that is nearest to the question.

    Empty where no document has parts.
    """
    best = [each.chunk_id for each in first.fused[:_DOCUMENTS_BY]]
    documents = await legs.beside(best, _REACH, _MOST_LEAVES)
    leaves = [chunk_id for own in documents.values() for chunk_id in own]
    near: dict[int, float] = {}
    if all(len(own) < _SMALLEST for own in documents.values()):
        return near
    vectors = await legs.vectors(first.questions, leaves)
    for asked, of in zip(first.questions.asked, vectors, strict=True):
        for own in documents.values():
            near |= nearest_parts({each: of[each] for each in own if each in of}, asked.vector)
    return near


def nearest_parts(leaves: Mapping[int, Vectors], asked: Vectors) -> dict[int, float]:
    """Return for each chunk of a document the cosine of the nearest of the parts that it is in to what is asked."""
    if not leaves:
        return {}
    ids, vectors = list(leaves), np.stack(list(leaves.values()))
    nearest = np.full(len(ids), -1.0)
    for part in parts_of(vectors):
        mean = vectors[part].mean(axis=0)
        cosine = float(mean @ asked) / max(float(np.linalg.norm(mean)), 1e-9)
        nearest[part] = np.maximum(nearest[part], cosine)
    return dict(zip(ids, nearest.tolist(), strict=True))


def parts_of(vectors: Vectors) -> Iterator[NDArray[np.intp]]:
    """Yield the nodes of a tree over vectors, as places of their leaves: the whole, its halves, and so on."""
    waiting = [np.arange(len(vectors))]
    while waiting:
        part = waiting.pop()
        yield part
        if len(part) >= _SMALLEST:
            side = _direction(vectors[part]) > 0
            if 0 < side.sum() < len(part):
                waiting += [part[side], part[~side]]


def _direction(vectors: Vectors) -> NDArray[np.float64]:
    """Where each vector lies on the axis along which they differ most, from their mean (power iteration)."""
    centred = (vectors - vectors.mean(axis=0)).astype(np.float64)
    axis = centred[np.argmax(np.linalg.norm(centred, axis=1))]
    for _ in range(_ROUNDS):
        axis = centred.T @ (centred @ axis)
        axis = axis / max(float(np.linalg.norm(axis)), 1e-12)
    return np.asarray(centred @ axis)
