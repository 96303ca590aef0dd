"""Multi-query by a language model: the question in other words, their scores joined.

What is asked in one way may be written in another; a passage that fits several wordings is not found by a turn of phrase.
Scores are joined over all candidates, as RAG-Fusion joins ranks (Rackauckas 2024, https://arxiv.org/abs/2402.03367).
"""

from collections.abc import Sequence

from knowlog.retrieval.looking import Candidates, Looking
from knowlog.retrieval.merging import merged

_MOST = 3
_TASK = (
    f"The text is a question. Write {_MOST} questions that ask the same in other words, in the same language, one a line,"
    " without numbers or anything else."
)


class Rewriting:
    """The question, and three more wordings of it, which together weigh as much."""

    name = "rewriting"
    needs_llm = True

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        wordings = lines(await looking.write(_TASK, looking.question), _MOST)
        async with looking.snapshot():
            found = [await looking.find(each) for each in dict.fromkeys([looking.question, *wordings])]
            looking.did("asked in other words", questions=wordings)
            return await merged(looking, found, question_and_others)


def lines(text: str, most: int) -> list[str]:
    """Return the first lines that a model wrote, without what models put before them."""
    written = (line.strip().lstrip("-*•0123456789.) ").strip() for line in text.splitlines())
    return [line for line in written if line][:most]


def question_and_others(scores: Sequence[float]) -> float:
    """The question itself weighs as much as all the others."""
    others = scores[1:]
    return scores[0] if not others else (scores[0] + sum(others) / len(others)) / 2
