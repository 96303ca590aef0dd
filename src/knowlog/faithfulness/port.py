"""Answer and passages in, a verdict on each claim out."""

from collections.abc import Sequence
from typing import Protocol

from knowlog.faithfulness.model import Judgement


class Judge(Protocol):
    """Says whether what an answer claims is supported by passages. Safe to call from many tasks at once."""

    @property
    def name(self) -> str:
        """Who judges, with its version: figures of different judges are not comparable."""

    async def judge(self, question: str, answer: str, passages: Sequence[str]) -> Judgement:
        """Judge every claim of the answer against the passages, which come as they were shown to whoever answered.

        Raises Unavailable where trying again may help, Misconfigured where the operator has to act.
        """

    async def close(self) -> None:
        """Release connections. Nothing may be called afterwards."""
