"""The calibrated weights: from the evidence on claims to probabilities, first of each claim, then of the answer.

A record is another kind of source than prose (what it leaves out, it leaves open), so each has weights of its own. They
ship as data in weights.json; `knowlog bench faithfulness --save` makes them anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from knowlog.faithfulness.calibration import Calibration, sigmoid
from knowlog.faithfulness.evidence import FEATURES, Evidence
from knowlog.faithfulness.lexicon import LEXICON_FEATURES, look_up

CLAIM_FEATURES = FEATURES + LEXICON_FEATURES
ANSWER_FEATURES = (
    "worst", "second", "third", "any", "sum", "mean", "claims", "figures_missing", "names_missing", "missing",
    "refusal", "units",
)  # fmt: skip
_SURE = -6.0
"""Log-odds of a claim that is not there: an answer of one claim has no second worst."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights for one kind of source. Their probabilities are those of being unsupported."""

    claims: Calibration
    lexicon: dict[str, float]
    answers: Calibration

    def claim_log_odds(self, evidence: Sequence[Evidence]) -> NDArray[np.float64]:
        """Return the log-odds that each claim is unsupported."""
        if not evidence:
            return np.zeros(0)
        return self.claims.log_odds(
            np.hstack([rows_of(evidence), look_up(self.lexicon, (each.missing_lexemes for each in evidence))])
        )

    def answer_probability(self, log_odds: NDArray[np.float64], evidence: Sequence[Evidence]) -> float:
        """Return the probability that something in the answer is unsupported."""
        if not evidence:
            return 0.0
        return float(self.answers.probability(summed_up(log_odds, rows_of(evidence))[None, :])[0])


@dataclass(frozen=True, slots=True)
class CalibratedWeights:
    """Weights for prose and records, and the probabilities from which a claim and an answer count as unsupported."""

    prose: Weights
    record: Weights
    claim_threshold: float
    answer_threshold: float
    version: str

    def of(self, is_record: bool) -> Weights:
        """The weights for a kind of source."""
        return self.record if is_record else self.prose

    def as_json(self) -> dict[str, Any]:
        """Everything there is to know."""
        return {
            "version": self.version,
            "claim_threshold": round(self.claim_threshold, 4),
            "answer_threshold": round(self.answer_threshold, 4),
            "prose": _weights_json(self.prose),
            "record": _weights_json(self.record),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `as_json`."""
        return cls(
            _weights_from(value["prose"]), _weights_from(value["record"]),
            value["claim_threshold"], value["answer_threshold"], value["version"],
        )  # fmt: skip


@cache
def shipped_weights() -> CalibratedWeights:
    """Return the weights that come with knowlog."""
    text = files("knowlog.faithfulness").joinpath("weights.json").read_bytes()
    return CalibratedWeights.from_json(orjson.loads(text))


def rows_of(evidence: Sequence[Evidence]) -> NDArray[np.float64]:
    """Return the features of claims as rows."""
    return np.stack([each.features for each in evidence])


def summed_up(log_odds: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ANSWER_FEATURES of an answer with at least one claim."""
    worst = np.sort(np.append(log_odds, [_SURE, _SURE]))[::-1]
    doubts = sigmoid(log_odds)
    all_right = np.log1p(-np.clip(doubts, 0, 1 - 1e-9)).sum()
    counts = {name: rows[:, FEATURES.index(name)] for name in ("figures_missing", "names_missing", "missing")}
    return np.array(
        [
            *worst[:3], np.log(-np.expm1(all_right) + 1e-9) - all_right, doubts.sum(), doubts.mean(),
            np.log1p(len(rows)), *(each.sum() for each in counts.values()),
            rows[:, FEATURES.index("refusal")].max(), rows[0, FEATURES.index("units")],
        ]
    )  # fmt: skip


def _weights_json(weights: Weights) -> dict[str, Any]:
    return {
        "claims": weights.claims.as_json(),
        "lexicon": weights.lexicon,
        "answers": weights.answers.as_json(),
    }


def _weights_from(value: dict[str, Any]) -> Weights:
    return Weights(
        Calibration.from_json(value["claims"]), value["lexicon"], Calibration.from_json(value["answers"])
    )
