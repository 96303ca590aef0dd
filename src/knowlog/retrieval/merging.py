"""Several questions, or further evidence, into one ranking."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from knowlog.retrieval.fusion import Fused, scaled
from knowlog.retrieval.looking import Candidates, Looking

Join = Callable[[Sequence[float]], float]
"""A chunk's scores for each of the questions, 0 to 1, to one."""


async def merged(looking: Looking, found: Sequence[Candidates], join: Join) -> Candidates:
    """Join what was found for several questions, the first of which is the one that was asked.

    Every chunk that any of them found is scored for all of them, scaled among just these chunks, so that being absent
    from a list is not taken for being bad.
    """

    async def rank(chunk_ids: Sequence[int]) -> list[Fused]:
        async with looking.snapshot() as legs:
            rankings = [await legs.rank(each.statistics, each.questions, chunk_ids) for each in found]
        scores = [{each.chunk_id: each.score for each in ranking} for ranking in rankings]
        shown = {each.chunk_id: each for ranking in reversed(rankings) for each in ranking}
        joint = [
            each._replace(score=join([of.get(chunk_id, 0.0) for of in scores]))
            for chunk_id, each in shown.items()
        ]
        return sorted(joint, key=lambda each: (-each.score, each.chunk_id))

    ids = dict.fromkeys(each.chunk_id for candidates in found for each in candidates.fused)
    return replace(found[0], fused=await rank(list(ids)), rank=rank)


def weighed(looking: Looking, found: Candidates, scores: Mapping[int, float], share: float) -> Candidates:
    """Let scores of the best candidates count for a share; they are scaled to 0 ... 1 among those that have one.

    What has none comes behind what has one, in the order in which it was found.
    """
    if not scores:
        return found
    lowest = min(scores.values())

    def joined(fused: Sequence[Fused]) -> list[Fused]:
        further = scaled(scores, [each.chunk_id for each in fused], lowest).tolist() if fused else []
        joint = [
            each._replace(score=(1 - share) * each.score + share * score)
            for each, score in zip(fused, further, strict=True)
        ]
        return sorted(joint, key=lambda each: (-each.score, each.chunk_id))

    async def rank(chunk_ids: Sequence[int]) -> list[Fused]:
        if found.rank is not None:
            return joined(await found.rank(chunk_ids))
        async with looking.snapshot() as legs:
            return joined(await legs.rank(found.statistics, found.questions, chunk_ids))

    return replace(found, fused=joined(found.fused), rank=rank)
