"""Faithfulness: whether what an answer claims is supported by the passages it was made from."""

from knowlog.faithfulness.claims import split_claims
from knowlog.faithfulness.judging import judged
from knowlog.faithfulness.model import Basis, Claim, Judgement, Verdict
from knowlog.faithfulness.port import Judge
from knowlog.faithfulness.reading import ReadAnswer, read_answer
from knowlog.faithfulness.registry import open_judge
from knowlog.faithfulness.settings import FaithfulnessSettings
from knowlog.faithfulness.source import read_source
from knowlog.faithfulness.training import Labelled, cross_validate, train
from knowlog.faithfulness.weights import CalibratedWeights, shipped_weights

__all__ = [
    "Basis",
    "CalibratedWeights",
    "Claim",
    "FaithfulnessSettings",
    "Judge",
    "Judgement",
    "Labelled",
    "ReadAnswer",
    "Verdict",
    "cross_validate",
    "judged",
    "open_judge",
    "read_answer",
    "read_source",
    "shipped_weights",
    "split_claims",
    "train",
]
