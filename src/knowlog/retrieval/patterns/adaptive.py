"""Adaptive: the plain search first, and more only where it is not sure of itself.

Two legs that look at words and at meaning seldom agree on wrong passages. Where both have the same one first, the plain
search has found what there is. Where they have found the same passages and differ about the best, the order is in doubt:
the best few are compared with the question token by token. Where hardly one of the best is in both, one leg at least has
missed what was asked, and shorter forms of the question are looked for. That scoring functions which agree are a sign of
an easy question: Aslam and Pavlu 2007, "Query Hardness Estimation Using Jensen-Shannon Divergence Among Multiple Scoring
Functions". Here it needs no training.
"""

from knowlog.retrieval.looking import Candidates, Looking
from knowlog.retrieval.patterns.late_interaction import by_tokens
from knowlog.retrieval.patterns.multi_query import in_shorter_forms

_BEST = 10
_MANY = 1 / 2
_FEW = 1 / 5
"""Shares of the legs' best ten, or of as many as the shorter leg has."""
_PASSAGES = 5
"""So many are compared by their tokens: what is in doubt is who comes first."""


class Adaptive:
    """The plain search; late interaction where its legs differ about the best, multi-query where about all."""

    name = "adaptive"
    needs_llm = False

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        async with looking.snapshot() as legs:
            first = await looking.find()
            common, same_first = agreement(first)
            if not same_first and common >= _MANY:
                return await by_tokens(looking, legs, first, _PASSAGES)
            if common < _FEW:
                return await in_shorter_forms(looking, first)
            looking.did("kept the plain search", because="the legs do not contradict each other")
            return first


def agreement(found: Candidates) -> tuple[float, bool]:
    """Return which share of the one leg's best chunks is among the other's, and whether both have the same one first.

    A leg alone is not contradicted.
    """
    best: dict[str, dict[int, int]] = {"dense": {}, "lexical": {}}
    for each in found.fused:
        for name, leg in each.legs.items():
            if leg.rank <= _BEST:
                best[name][leg.rank] = each.chunk_id
    dense, lexical = best.values()
    if not dense or not lexical:
        return 1.0, True
    common = len({*dense.values()} & {*lexical.values()})
    return common / min(len(dense), len(lexical)), dense[1] == lexical[1]
