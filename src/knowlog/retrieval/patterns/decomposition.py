"""Decomposition: a question that asks several things is looked for as a whole and part by part.

Without a language model the parts are what its marks and conjunctions divide. A chunk counts by the part that it fits
best, so that no part goes without one, and by the whole, so that what belongs to none of the rest does not come first.
"""

import re
from collections.abc import Sequence

from knowlog.retrieval.looking import Candidates, Looking
from knowlog.retrieval.merging import merged
from knowlog.stores import lexemes

_BORDER = re.compile(
    r"(?<![?;])[?;]+\s+|,?\s+(?:and|or|as well as|versus|vs\.?)\s+(?=\S)|;\s*", re.IGNORECASE
)
_FEWEST = 2
"""Fewest lexemes of a part; a smaller one goes with its neighbour."""
_MOST = 4


class Decomposition:
    """The question, and its parts."""

    name = "decomposition"
    needs_llm = False

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        async with looking.snapshot():
            whole = await looking.find()
            parts = parts_of(looking.question)
            looking.did("asked part by part", parts=parts)
            if not parts:
                return whole
            found = [whole, *[await looking.find(part) for part in parts]]
            return await merged(looking, found, _best_part)


def _best_part(scores: Sequence[float]) -> float:
    """The mean of what it is to the whole question and to the part that it fits best."""
    return (scores[0] + max(scores[1:])) / 2


def parts_of(question: str) -> list[str]:
    """Return the parts of a question, at most four; none where it asks one thing."""
    parts: list[str] = []
    for piece in _BORDER.split(" ".join(question.split())):
        if parts and (len(lexemes(piece)) < _FEWEST or len(lexemes(parts[-1])) < _FEWEST):
            parts[-1] = f"{parts[-1]} {piece}".strip()
        elif piece.strip():
            parts.append(piece.strip())
    return parts[:_MOST] if len(parts) > 1 else []
