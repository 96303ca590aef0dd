"""Late interaction: the best passages are compared with the question token by token.

Khattab and Zaharia 2020, "ColBERT", https://arxiv.org/abs/2004.12832: each token of the question counts by the
nearest token of the passage (MaxSim), and a rare word for more than a common one, so that a passage has to speak of
everything that is asked, and not of it on average. The token vectors are those that the embedding model pools into
its vectors anyway. They are made when a passage is first looked at, and kept in memory for the next question.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from knowlog.embedding import TokenEmbedder, max_sim
from knowlog.kernel.errors import Unavailable
from knowlog.resilience import time_limit
from knowlog.retrieval.looking import Candidates, Legs, Looking
from knowlog.retrieval.merging import weighed
from knowlog.retrieval.model import Passage
from knowlog.stores import TermStatistics, lexemes, searchable_text

PASSAGES = 20
SHARE = 0.2
"""What the tokens count beside the fused score."""
_WORD = re.compile(r"\S+")
_PATIENCE_S = 8.0
"""So long passages that are new are read; what was read by then is kept for the next question."""


class LateInteraction:
    """Both legs, and the best passages in an order to which their tokens contribute."""

    name = "late_interaction"
    needs_llm = False

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        async with looking.snapshot() as legs:
            return await by_tokens(looking, legs, await looking.find())


async def by_tokens(looking: Looking, legs: Legs, found: Candidates, most: int = PASSAGES) -> Candidates:
    """Let the tokens of the best candidates count, so many at most; where no model gives any in time, keep the order."""
    models = [asked.model for asked in found.questions.asked]
    model = next((each for each in models if isinstance(each, TokenEmbedder)), None)
    passages = await legs.show(found, most)
    if model is None or not passages:
        looking.did("kept the order", because="no model gives vectors of tokens here")
        return found
    try:
        async with time_limit(_PATIENCE_S, "Reading the tokens of passages"):
            scores = await _scores(looking, model, passages, found.statistics)
    except Unavailable as error:
        looking.did("kept the order", because=error.detail)
        return found
    looking.did("compared tokens", passages=len(passages))
    return weighed(looking, found, scores, SHARE)


async def _scores(
    looking: Looking, model: TokenEmbedder, passages: Sequence[Passage], known: TermStatistics
) -> dict[int, float]:
    texts = [searchable_text(each.title, each.headings, each.text) for each in passages]
    read = await model.embed_tokens([looking.question, *texts], str(looking.scope.tenant_id))
    looking.read_tokens += read.fresh
    asked, *rest = read.texts
    weights = rarities(looking.question, model.token_offsets(looking.question)[: len(asked)], known)
    return {each.chunk_id: max_sim(asked, own, weights) for each, own in zip(passages, rest, strict=True)}


def rarities(question: str, starts: Iterable[int], known: TermStatistics) -> list[float]:
    """Return for each token of a question how rare the word is that it is of; 0 for words that say nothing."""
    rarity = known.inverse_frequencies
    words = [
        (match.start(), max((rarity.get(each, 0.0) for each in lexemes(match.group())), default=0.0))
        for match in _WORD.finditer(question)
    ]
    begins = [start for start, _ in words]
    return [words[max(0, bisect_right(begins, start) - 1)][1] for start in starts]
