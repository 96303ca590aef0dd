"""Evidence to a judgement, by calibrated weights: of the answer as a whole, and of each of its claims."""

from collections.abc import Sequence

from knowlog.faithfulness.calibration import sigmoid
from knowlog.faithfulness.evidence import Evidence
from knowlog.faithfulness.model import Claim, Judgement, Label, Verdict
from knowlog.faithfulness.reading import ReadAnswer
from knowlog.faithfulness.weights import CalibratedWeights

_MOST_NAMED = 5


def judged(read: ReadAnswer, weights: CalibratedWeights, name: str) -> Judgement:
    """Weigh the evidence on an answer.

    The answer is decided as a whole. Where something in it is unsupported, that is the worst claim at least, and each
    other whose own probability is above the threshold of claims.
    """
    own = weights.of(read.is_record)
    log_odds = own.claim_log_odds(read.evidence)
    doubt = own.answer_probability(log_odds, read.evidence)
    faithful = doubt < weights.answer_threshold
    doubts = sigmoid(log_odds)
    least = 2.0 if faithful else min(weights.claim_threshold, float(doubts.max(initial=0)))
    verdicts = tuple(
        _verdict(claim, evidence, float(one), unsupported=bool(one >= least))
        for claim, evidence, one in zip(read.claims, read.evidence, doubts, strict=True)
    )
    return Judgement(faithful, round(1 - doubt, 4), verdicts, name)


def _verdict(claim: Claim, evidence: Evidence, doubt: float, *, unsupported: bool) -> Verdict:
    label: Label = "unsupported" if unsupported else "supported"
    basis = evidence.nearest.basis if evidence.nearest else None
    return Verdict(claim, label, round(1 - doubt, 4), _reason(evidence, unsupported), basis)


def _reason(evidence: Evidence, unsupported: bool) -> str:
    """The plainest thing that speaks against the claim, or for it."""
    if evidence.missing_figures:
        return f"No passage has {_listed(evidence.missing_figures)}."
    if evidence.missing_names:
        return f"No passage names {_listed(evidence.missing_names)}."
    if evidence.denied_fields:
        return "The record says otherwise, or nothing, of what is claimed."
    if evidence.missing_lexemes:
        return f"No passage has a word of the stem {_listed(evidence.missing_lexemes)}."
    if unsupported:
        return "Its words stand in the passages, but not together in this way."
    return "Its words and figures stand in the passages."


def _listed(found: Sequence[str]) -> str:
    named = ", ".join(found[:_MOST_NAMED])
    return named if len(found) <= _MOST_NAMED else f"{named} and {len(found) - _MOST_NAMED} more"
