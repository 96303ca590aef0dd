"""Which statements of a model come before a judge."""

from collections.abc import Sequence

import pytest

from knowlog.answering import Said, verified
from knowlog.faithfulness import Basis, Judgement, Verdict, split_claims

TEXT = "The pump has 12 valves."


class Obliging:
    """A judge that finds everything in the first passage, and counts what it was asked."""

    name = "obliging"

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def judge(self, question: str, answer: str, passages: Sequence[str]) -> Judgement:
        self.asked.append(answer)
        basis = Basis(0, 0, len(TEXT), TEXT)
        verdicts = tuple(Verdict(each, "supported", 0.9, "", basis) for each in split_claims(answer))
        return Judgement(True, 0.9, verdicts, self.name)

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(("said", "judged"), [(TEXT, 1), (" ".join([TEXT] * 3), 1), ("12. " * 200, 0)])
async def test_a_statement_of_hundreds_of_claims_is_none(passage, said: str, judged: int) -> None:
    """It took a third of a second to judge, six times in an answer, in which nobody else was served."""
    judge = Obliging()
    found = await verified("How many valves?", Said(text=said, passages=[1]), [passage(TEXT)], judge)
    assert (len(judge.asked), found is not None) == (judged, bool(judged))
