"""Step-back: the more general question behind the one that was asked is looked for, too.

Zheng et al. 2023, https://arxiv.org/abs/2310.06117: what a detail follows from often stands where it is not
named.
"""

from collections.abc import Sequence

from knowlog.retrieval.looking import Candidates, Looking
from knowlog.retrieval.merging import merged

_TASK = (
    "The text is a question. Write one more general question, whose answer is needed to answer it."
    " Write that question alone, in the same language."
)


class StepBack:
    """The question, and the one behind it, which counts half as much."""

    name = "step_back"
    needs_llm = True

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        general = await looking.write(_TASK, looking.question)
        async with looking.snapshot():
            asked = await looking.find()
            looking.did("stepped back", question=general)
            if not general.strip():
                return asked
            return await merged(looking, [asked, await looking.find(general)], _asked_first)


def _asked_first(scores: Sequence[float]) -> float:
    return (2 * scores[0] + scores[1]) / 3
