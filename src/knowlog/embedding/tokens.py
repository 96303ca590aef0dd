"""Vectors of each token of a text: comparing them one by one, and keeping them for a while."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

TokenVectors = NDArray[np.int8]
"""A row for each token of a text, of which only the direction means something: shape [tokens, dimensions]."""


class ReadTokens(NamedTuple):
    """The token vectors of texts, in their order, and how many tokens were read for them and not kept from before."""

    texts: list[TokenVectors]
    fresh: int


@runtime_checkable
class TokenEmbedder(Protocol):
    """A model that can show what it makes of each token, in the words around it."""

    async def embed_tokens(self, texts: Sequence[str], owner: str) -> ReadTokens:
        """Return the token vectors of texts. They are kept for `owner` while there is room, and shown to no other.

        Raises like `embed_documents`.
        """
        ...

    def token_offsets(self, text: str) -> NDArray[np.int32]:
        """See Embedder."""


def compact(vectors: NDArray[np.float32]) -> TokenVectors:
    """Bring each row to the largest length that bytes can hold: a quarter of the memory, and the same direction."""
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=np.finfo(np.float32).tiny)
    return np.asarray(np.round(vectors * (127 / largest)), np.int8)


def max_sim(asked: TokenVectors, read: TokenVectors, weights: Sequence[float] = ()) -> float:
    """Return how near the tokens of a text come to those of a question: the mean of each one's best cosine, -1 to 1.

    MaxSim of Khattab and Zaharia 2020, https://arxiv.org/abs/2004.12832, as a mean instead of a sum. `weights`: what
    each token of the question counts; empty: all the same. A text or question without tokens: 0.
    """
    if not len(asked) or not len(read):
        return 0.0
    best = (_unit(asked) @ _unit(read).T).max(axis=1)
    counts = np.asarray(weights, np.float32)
    use = len(counts) == len(best) and float(counts.sum()) > 0
    return float(np.average(best, weights=counts if use else None))


def _unit(vectors: TokenVectors) -> NDArray[np.float32]:
    rows = vectors.astype(np.float32)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6))


class Shelf:
    """Token vectors by owner and text, at most so many bytes; those that were longest not asked for make room.

    Safe to use from several threads.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[bytes, TokenVectors] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, owner: str, text: str) -> TokenVectors | None:
        """Return what was kept; None where there is nothing."""
        key = _key(owner, text)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, owner: str, text: str, vectors: TokenVectors) -> None:
        """Keep vectors, unless they are larger than the shelf."""
        key = _key(owner, text)
        with self._lock:
            self._forget(self._kept.pop(key, None))
            if vectors.nbytes <= self._most_bytes:
                self._kept[key] = vectors
                self._bytes += vectors.nbytes
            while self._bytes > self._most_bytes:
                self._forget(self._kept.popitem(last=False)[1])

    def _forget(self, vectors: TokenVectors | None) -> None:
        self._bytes -= vectors.nbytes if vectors is not None else 0


def _key(owner: str, text: str) -> bytes:
    return hashlib.blake2b(f"{owner}\0{text}".encode("utf-8", "replace"), digest_size=16).digest()
