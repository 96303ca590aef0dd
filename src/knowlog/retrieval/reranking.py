"""The best passages in a reranker's order."""

from collections.abc import Sequence
from dataclasses import replace

from knowlog.kernel.errors import Unavailable
from knowlog.resilience import Policy, guard_of
from knowlog.retrieval.model import Passage
from knowlog.retrieval.port import Reranker

WITHOUT_RERANKER = "The reranker did not answer in time: passages are in the order of the search itself."
_POLICY = Policy(timeout_s=3, slow_s=2, attempts=1)


async def reranked(
    reranker: Reranker, question: str, passages: Sequence[Passage], left_out: dict[str, str]
) -> list[Passage]:
    """The best passages in the reranker's order, the rest behind them. As they were if it fails or takes too long, and
    `left_out` says so.
    """
    shown, rest = list(passages[: reranker.depth]), list(passages[reranker.depth :])
    try:
        guard = guard_of(f"reranker {type(reranker).__name__}", _POLICY)
        scores = await guard.run(reranker.rerank, question, shown)
    except Unavailable:
        left_out["reranker"] = WITHOUT_RERANKER
        return list(passages)
    scored = [replace(passage, score=float(score)) for passage, score in zip(shown, scores, strict=True)]
    return sorted(scored, key=lambda passage: -passage.score) + rest
