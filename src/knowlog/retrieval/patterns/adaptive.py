"""Adaptive: the plain search first, and more only where it is not sure of itself.

Two legs that look at words and at meaning seldom agree on wrong passages. Where hardly one of the best is in both, one
leg at least has missed what was asked, and shorter forms of the question are looked for, too. That scoring functions
which agree are a sign of an easy question: Aslam and Pavlu 2007, "Query Hardness Estimation Using Jensen-Shannon
Divergence Among Multiple Scoring Functions". Here it needs no training.
"""

from knowlog.retrieval.looking import Candidates, Looking
from knowlog.retrieval.patterns.multi_query import in_shorter_forms

_BEST = 10
_IN_COMMON = 5
"""The legs agree where one in so many of their best chunks is the same: two of ten."""


class Adaptive:
    """The plain search where both legs have some of the best chunks in common; multi-query where they have not."""

    name = "adaptive"
    needs_llm = False

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        async with looking.snapshot():
            first = await looking.find()
            if agreed(first):
                looking.did("kept the plain search", because="both legs have best passages in common")
                return first
            return await in_shorter_forms(looking, first)


def agreed(found: Candidates) -> bool:
    """Whether enough of the best chunks of one leg are among those of the other; a leg alone is not contradicted."""
    best: dict[str, set[int]] = {"dense": set(), "lexical": set()}
    for each in found.fused:
        for name, leg in each.legs.items():
            if leg.rank <= _BEST:
                best[name].add(each.chunk_id)
    dense, lexical = best.values()
    return len(dense & lexical) * _IN_COMMON >= min(len(dense), len(lexical))
