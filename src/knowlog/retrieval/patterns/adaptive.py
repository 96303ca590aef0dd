"""Adaptive: the plain search first, and more only where it is not sure of itself and more can help.

Two legs that look at words and at meaning seldom agree on wrong passages. Where both have the same one first, the plain
search has found what there is. That scoring functions which agree are a sign of an easy question: Aslam and Pavlu 2007,
"Query Hardness Estimation Using Jensen-Shannon Divergence Among Multiple Scoring Functions". Here it needs no training.

Where hardly one of the best is in both, one leg at least was led astray: the vector of a question is of all that it
tells, so its rarer words are read once more by themselves. Where most are in both and the first differs, the order is
in doubt: the best few are compared with the question token by token, if it is so short that every word matters. Neither
searches again: both put in order what was found.
"""

from dataclasses import replace
from typing import Literal

from knowlog.retrieval.dense import Questions, drawn
from knowlog.retrieval.looking import Candidates, Legs, Looking
from knowlog.retrieval.patterns.late_interaction import by_tokens
from knowlog.retrieval.patterns.multi_query import variations

_BEST = 10
_MOST = 1 / 2
_FEW = 1 / 5
"""Shares of the legs' best ten, or of as many as the shorter leg has: more than the one, less than the other."""
_SHORT = 16
"""A short question has at most so many lexemes."""
_PASSAGES = 5
"""So many are compared by their tokens: what is in doubt is who comes first."""
_SHARE = 1 / 2
"""The rarer words by themselves mean as much as the whole question."""

Doubt = Literal["none", "about the first", "about all"]
_KEPT = {"none": "the legs do not contradict each other", "about the first": "the question is long"}


class Adaptive:
    """The plain search; by its rarer words or its tokens where the legs differ."""

    name = "adaptive"
    needs_llm = False

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        async with looking.snapshot() as legs:
            first = await looking.find()
            doubt = doubt_of(first)
            if doubt == "about all":
                return await by_rarer_words(looking, legs, first)
            if doubt == "about the first" and len(first.statistics.terms) <= _SHORT:
                return await by_tokens(looking, legs, first, _PASSAGES)
            looking.did("kept the plain search", because=_KEPT[doubt])
            return first


async def by_rarer_words(looking: Looking, legs: Legs, first: Candidates) -> Candidates:
    """Let what the rarer words of the question mean count as well, among the chunks that were found.

    It costs the reading of a short text, and no search. A question that has no shorter form keeps the order.
    """
    forms = variations(looking.question, first.statistics)
    if not forms:
        looking.did("kept the plain search", because="the question has no shorter form")
        return first
    looking.did("read the rarer words by themselves", words=forms[-1])
    shorter = await looking.embedding_of(forms[-1])
    return await legs.with_vectors(first, _joined(first.questions, shorter))


def _joined(whole: Questions, shorter: Questions) -> Questions:
    """The vectors of a question drawn to those of its shorter form; a model that gave none of it leaves its own."""
    near = {each.model.profile.key: [each.vector] for each in shorter.asked}
    asked = tuple(drawn(each, near.get(each.model.profile.key, []), _SHARE) for each in whole.asked)
    return replace(whole, asked=asked)


def doubt_of(found: Candidates) -> Doubt:
    """Return what the two legs are not of one mind about. A leg alone is not contradicted."""
    common, same_first = agreement(found)
    if common < _FEW:
        return "about all"
    return "about the first" if common > _MOST and not same_first else "none"


def agreement(found: Candidates) -> tuple[float, bool]:
    """Return which share of the one leg's best chunks is among the other's, and whether both have the same one first.

    A leg alone is not contradicted.
    """
    if not found.fused:
        return 1.0, True
    dense, lexical = (found.fused[0].ranked.best(name, _BEST) for name in ("dense", "lexical"))
    if not dense or not lexical:
        return 1.0, True
    return len({*dense} & {*lexical}) / min(len(dense), len(lexical)), dense[0] == lexical[0]
