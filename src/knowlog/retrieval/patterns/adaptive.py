"""Adaptive: the plain search first, and more only where it is not sure of itself.

Two legs that look at words and at meaning seldom agree on a wrong passage. Where both have the same one first, the
plain search has found what there is, and nothing more is spent. That scoring functions which agree are a sign of an easy
question: Aslam and Pavlu 2007, "Query Hardness Estimation Using Jensen-Shannon Divergence Among Multiple Scoring
Functions". Here it needs no training and no threshold.
"""

from knowlog.retrieval.looking import Candidates, Looking
from knowlog.retrieval.patterns.feedback import look_again


class Adaptive:
    """The plain search where both legs agree on the best chunk; feedback where they do not."""

    name = "adaptive"
    needs_llm = False

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        async with looking.snapshot() as legs:
            first = await looking.find()
            if agreed(first):
                looking.did("kept the plain search", because="both legs have the same passage first")
                return first
            return await look_again(looking, legs, first)


def agreed(found: Candidates) -> bool:
    """Whether each leg that has an opinion has the best chunk first."""
    if not found.fused:
        return True
    best = found.fused[0].legs
    return len(best) == 2 and all(leg.rank == 1 for leg in best.values())
