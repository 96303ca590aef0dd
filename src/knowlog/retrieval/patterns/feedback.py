"""Pseudo-relevance feedback: what the best passages have in common is looked for again.

By words as in RM3 (Abdul-Jaleel et al., "UMass at TREC 2004: Novelty and HARD"), by meaning as Rocchio did (1971), in the
form that suits vectors of sentences (Li et al. 2021, https://arxiv.org/abs/2108.11044): few passages, and the question
itself weighs most. What the first search may not see, it cannot learn from.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from knowlog.retrieval.dense import Questions, drawn
from knowlog.retrieval.looking import Candidates, Legs, Looking
from knowlog.retrieval.model import Passage
from knowlog.stores import TermStatistics, lexemes, searchable_text

_PASSAGES = 3
_LEXEMES = 10
_SHARE = 0.2
"""What the passages weigh beside the question, in words and in meaning."""


class Feedback:
    """Looks a second time, with words and vectors of the best passages added to those of the question."""

    name = "feedback"
    needs_llm = False

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        async with looking.snapshot() as legs:
            return await look_again(looking, legs, await looking.find())


async def look_again(looking: Looking, legs: Legs, first: Candidates) -> Candidates:
    """Look for the question together with what the best of the first candidates have in common."""
    best = await legs.show(first, _PASSAGES)
    if not best:
        return first
    counts = expanded(first.statistics, best)
    added = [lexeme for lexeme in counts if lexeme not in first.statistics.inverse_frequencies]
    looking.did("looked again", passages=len(best), added_words=added)
    return await legs.again(await legs.weigh(counts), await _nearer(legs, first))


def expanded(asked: TermStatistics, passages: Sequence[Passage]) -> dict[str, float]:
    """Return what each lexeme of the question counts, and those that the passages say most, scaled to `_SHARE`."""
    total = sum(term.count for term in asked.terms) or 1.0
    counts = {term.lexeme: (1 - _SHARE) * term.count for term in asked.terms}
    common = Counter(_shares(passages))
    best = dict(common.most_common(_LEXEMES))
    whole = sum(best.values())
    for lexeme, share in best.items():
        counts[lexeme] = counts.get(lexeme, 0.0) + _SHARE * total * share / whole
    return counts


def _shares(passages: Sequence[Passage]) -> Mapping[str, float]:
    """How much of the passages each lexeme is, a passage counting as much as its score."""
    shares: Counter[str] = Counter()
    for each in passages:
        found = Counter(lexemes(searchable_text(each.title, each.headings, each.text)))
        for lexeme, count in found.items():
            shares[lexeme] += each.score * count / found.total()  # type: ignore[assignment]
    return shares


async def _nearer(legs: Legs, first: Candidates) -> Questions:
    """The question's vectors, drawn to those of the best chunks."""
    ids = [each.chunk_id for each in first.fused[:_PASSAGES]]
    found = await legs.vectors(first.questions, ids)
    asked = tuple(
        drawn(each, list(near.values()), _SHARE)
        for each, near in zip(first.questions.asked, found, strict=True)
    )
    return replace(first.questions, asked=asked)
