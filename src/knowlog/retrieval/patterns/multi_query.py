"""Multi-query: the question and shorter forms of it, their scores joined.

Without a language model the forms are drawn from the question's own words: without those that say nothing, and only the
rarest of them. A chunk that fits all forms is not found by a turn of phrase.
"""

from collections.abc import Sequence

from knowlog.retrieval.looking import Candidates, Looking
from knowlog.retrieval.merging import merged
from knowlog.stores import TermStatistics, lexemes

_FEWEST = 3
"""A question of fewer words that say something has no shorter form."""


class MultiQuery:
    """The question, its words that say something, and the rarer half of them."""

    name = "multi_query"
    needs_llm = False

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        async with looking.snapshot():
            return await in_shorter_forms(looking, await looking.find())


async def in_shorter_forms(looking: Looking, first: Candidates) -> Candidates:
    """Look for shorter forms of the question, too, and join what is found with what was found first."""
    forms = variations(looking.question, first.statistics)
    looking.did("asked in other forms", forms=forms)
    if not forms:
        return first
    return await merged(looking, [first, *[await looking.find(form) for form in forms]], _mean)


def _mean(scores: Sequence[float]) -> float:
    """The question itself weighs as much as all its forms."""
    return (scores[0] + sum(scores[1:]) / (len(scores) - 1)) / 2


def variations(question: str, statistics: TermStatistics) -> list[str]:
    """Return shorter forms of a question, none of them the question itself."""
    rarity = statistics.inverse_frequencies
    words = [word for word in question.split() if any(each in rarity for each in lexemes(word))]
    if len(words) < _FEWEST:
        return []
    rare = sorted(words, key=lambda word: -max(rarity.get(each, 0.0) for each in lexemes(word)))
    kept = set(rare[: (len(words) + 1) // 2])
    forms = (" ".join(words), " ".join(word for word in words if word in kept))
    return [form for form in dict.fromkeys(forms) if form != question]
