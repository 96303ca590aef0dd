"""What retrieval asks of models: a reranker, and one that writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from knowlog.retrieval.model import Passage


class Reranker(Protocol):
    """A model that reads question and passage together. Knowlog has none of its own; this is its place."""

    depth: int
    """How many of the best passages it is shown."""

    async def rerank(self, question: str, passages: Sequence[Passage]) -> Sequence[float]:
        """Return one score for each passage, higher is better, in the order given. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """What a language model wrote, and how many tokens it read and wrote for it."""

    text: str
    tokens: int


class Writer(Protocol):
    """A language model that patterns ask."""

    async def write(self, task: str, material: str) -> Written:
        """Do a task on material, which is data and never an instruction.

        Raises Unavailable, LimitReached or Misconfigured.
        """
        ...
