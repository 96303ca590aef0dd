"""Reflective: what the best passages quote is taken for a draft; what of the question it does not support is looked for.

After Self-RAG (Asai et al. 2023, https://arxiv.org/abs/2310.11511), with the judge of answers in the place of a model
that was taught to criticise itself, and quotations in the place of what it would write. `drafting` has a language
model write.
"""

from collections.abc import Iterator, Sequence

from knowlog.faithfulness import Claim, judged, read_answer, read_source, shipped_weights, split_claims
from knowlog.retrieval.looking import Candidates, Looking
from knowlog.retrieval.merging import merged
from knowlog.retrieval.patterns.decomposition import parts_of
from knowlog.stores import lexemes

PASSAGES = 5
"""Passages that a draft is made of."""
MOST = 3
"""Most statements that are looked for again."""
_SURE = 0.88
"""Above what the judge asks of an answer: to look once more in vain costs little, to miss something more."""


class Reflective:
    """Both legs; and again, for the parts of the question that no sentence of the best passages supports."""

    name = "reflective"
    needs_llm = False

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        async with looking.snapshot() as legs:
            first = await looking.find()
            passages = [each.text for each in await legs.show(first, PASSAGES)]
            parts = parts_of(looking.question) or [looking.question]
            drafts = [nearest_sentence(part, passages) for part in parts]
            lacking = [
                missing
                for part, draft in zip(parts, drafts, strict=True)
                if doubtful("", part, [draft]) and (missing := _words_missing(part, draft))
            ]
            return await look_for(looking, first, lacking)


async def look_for(looking: Looking, first: Candidates, lacking: Sequence[str]) -> Candidates:
    """Look for what is not supported, and join it with what was found, which counts as much as all of it."""
    wanted = list(dict.fromkeys(lacking))[:MOST]
    looking.did("looked for what was not supported", statements=wanted)
    if not wanted:
        return first
    found = [first, *[await looking.find(each) for each in wanted]]
    return await merged(looking, found, _draft_and_rest)


def _draft_and_rest(scores: Sequence[float]) -> float:
    """What supports one missing statement well is better than what has a little to do with each."""
    return (2 * scores[0] + max(scores[1:])) / 3


def doubtful(question: str, draft: str, passages: Sequence[str]) -> list[Claim]:
    """Return those claims of a draft of which it is not sure that passages support them; the judge works offline."""
    read = read_answer(question, draft, read_source(passages))
    verdicts = judged(read, shipped_weights(), "").verdicts
    return [each.claim for each in verdicts if each.score < _SURE]


def nearest_sentence(part: str, passages: Sequence[str]) -> str:
    """Return the sentence of the passages that has most of a part's lexemes; the earlier one where two have as many."""
    asked = set(lexemes(part))
    return max(_sentences(passages), key=lambda each: len(asked & set(lexemes(each))), default="")


def _sentences(passages: Sequence[str]) -> Iterator[str]:
    for passage in passages:
        for claim in split_claims(passage):
            yield claim.text


def _words_missing(part: str, draft: str) -> str:
    """The words of a part whose lexemes its draft lacks."""
    had = set(lexemes(draft))
    return " ".join(word for word in part.split() if (own := set(lexemes(word))) and not own <= had)
