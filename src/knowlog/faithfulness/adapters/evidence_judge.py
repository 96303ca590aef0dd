"""The judge that works offline: evidence on each claim, weighed as labelled answers have taught."""

from collections.abc import Sequence

from knowlog.faithfulness.judging import judged
from knowlog.faithfulness.model import Judgement
from knowlog.faithfulness.reading import read_answer
from knowlog.faithfulness.settings import FaithfulnessSettings
from knowlog.faithfulness.source import read_source
from knowlog.faithfulness.weights import shipped_weights


class EvidenceJudge:
    """Judges by plain checks. The same answer and passages always get the same judgement."""

    @property
    def name(self) -> str:
        """With the version of the weights, which are read when they are wanted."""
        return f"evidence-{shipped_weights().version}"

    async def judge(self, question: str, answer: str, passages: Sequence[str]) -> Judgement:
        """Judge every claim of the answer."""
        return judged(read_answer(question, answer, read_source(passages)), shipped_weights(), self.name)

    async def close(self) -> None:
        """There is nothing to release."""


def open_evidence_judge(settings: FaithfulnessSettings) -> EvidenceJudge:
    """Open the judge with the weights that come with knowlog."""
    return EvidenceJudge()
