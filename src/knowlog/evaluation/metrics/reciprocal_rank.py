"""How far down the first relevant document stands."""

from collections.abc import Mapping, Sequence


def reciprocal_rank(ranking: Sequence[str], relevance: Mapping[str, int]) -> float:
    """1 / rank of the first relevant document, 0 to 1; 0 where there is none (trec_eval's recip_rank).

    Its mean over questions is MRR (Voorhees, TREC-8, 1999). Relevant is a judgement above 0.
    """
    ranks = (rank for rank, each in enumerate(ranking, start=1) if relevance.get(each, 0) > 0)
    return 1 / next(ranks, float("inf"))
