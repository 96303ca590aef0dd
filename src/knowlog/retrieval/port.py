"""What knowlog asks of a reranker."""

from collections.abc import Sequence
from typing import Protocol

from knowlog.retrieval.model import Passage


class Reranker(Protocol):
    """A model that reads question and passage together. Knowlog has none of its own; this is its place."""

    depth: int
    """How many of the best passages it is shown."""

    async def rerank(self, question: str, passages: Sequence[Passage]) -> Sequence[float]:
        """Return one score for each passage, higher is better, in the order given. Raises Unavailable."""
        ...
