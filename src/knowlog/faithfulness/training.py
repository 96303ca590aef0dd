"""Learning the weights from labelled answers, and saying honestly how well that went.

Whatever is learned from claims and then used on claims (the lexicon, the claims' log-odds) is taken from parts of the
data in which those claims are not, by the answers' groups: answers to one source are never on both sides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from knowlog.faithfulness.calibration import Calibration, fit
from knowlog.faithfulness.evidence import Evidence
from knowlog.faithfulness.judging import judged
from knowlog.faithfulness.lexicon import learn, look_up
from knowlog.faithfulness.model import Judgement
from knowlog.faithfulness.reading import ReadAnswer
from knowlog.faithfulness.weights import (
    ANSWER_FEATURES,
    CLAIM_FEATURES,
    CalibratedWeights,
    Weights,
    rows_of,
    summed_up,
)

_PARTS = 3
_RIDGE = 10.0
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Labelled:
    """An answer that people have judged. `wrong` are the spans of it that no passage supports; `group` is its source."""

    read: ReadAnswer
    wrong: tuple[tuple[int, int], ...]
    group: str

    @property
    def claim_labels(self) -> list[bool]:
        """Of each claim, whether it holds something unsupported."""
        return [
            any(start < each.end and each.start < end for start, end in self.wrong)
            for each in self.read.claims
        ]


def train(examples: Sequence[Labelled], version: str) -> CalibratedWeights:
    """Learn weights from labelled answers. Deterministic. Where all rest on prose, or all on records, the other kind gets
    the same weights. Raises ValueError where there are not supported and unsupported claims.
    """
    kinds = {kind: [each for each in examples if each.read.is_record is kind] for kind in (False, True)}
    trained = {kind: _train_kind(held) for kind, held in kinds.items() if _teaches(held)}
    if not trained:
        raise ValueError("Supported and unsupported claims are needed.")
    learned = list(trained.values())
    return CalibratedWeights(
        prose=trained.get(False, learned[0]).weights,
        record=trained.get(True, learned[0]).weights,
        claim_threshold=best_threshold(
            np.concatenate([each.claim_odds for each in learned]),
            np.concatenate([each.claim_labels for each in learned]),
        ),
        answer_threshold=best_threshold(
            np.concatenate([each.answer_odds for each in learned]),
            np.concatenate([each.answer_labels for each in learned]),
        ),
        version=version,
    )


def _teaches(examples: Sequence[Labelled]) -> bool:
    """Whether there are answers of both kinds in each part, so that something can be learned without any of them."""
    for part in range(_PARTS):
        labels = {bool(each.wrong) for each in examples if each.read.claims and _inner(each) != part}
        if labels != {False, True}:
            return False
    return True


def cross_validate(
    examples: Sequence[Labelled], folds: int, told: Callable[[], object] = lambda: None
) -> list[Judgement]:
    """Judge each answer by weights that were learned without its group. `told` is called after each fold."""
    fold_of = np.array([_part(each.group, folds) for each in examples])
    found: list[Judgement | None] = [None] * len(examples)
    for fold in range(folds):
        weights = train([each for each, part in zip(examples, fold_of, strict=True) if part != fold], "fold")
        for number in map(int, np.flatnonzero(fold_of == fold)):
            found[number] = judged(examples[number].read, weights, weights.version)
        told()
    return [each for each in found if each is not None]


def best_threshold(probabilities: Floats, labels: Flags) -> float:
    """Return the probability from which to say yes so that F1 is highest."""
    order = np.argsort(-probabilities, kind="stable")
    right = np.cumsum(labels[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + labels.sum())
    return float(probabilities[order][int(f1.argmax())])


@dataclass(frozen=True, slots=True)
class _Trained:
    """Weights of one kind, and the probabilities that came out where they were not learned."""

    weights: Weights
    claim_odds: Floats
    claim_labels: Flags
    answer_odds: Floats
    answer_labels: Flags


def _train_kind(examples: Sequence[Labelled]) -> _Trained:
    held = [each for each in examples if each.read.claims]
    evidence = [one for each in held for one in each.read.evidence]
    labels = np.array([label for each in held for label in each.claim_labels], bool)
    parts = np.array([_inner(each) for each in held])
    claim_parts = np.repeat(parts, [len(each.read.claims) for each in held])
    lexicon, rows = _with_lexicon(evidence, labels, claim_parts)
    claims, log_odds = _out_of_part(CLAIM_FEATURES, rows, labels, claim_parts)
    ends = np.cumsum([len(each.read.claims) for each in held])[:-1]
    pieces = zip(np.split(log_odds, ends), np.split(rows, ends), strict=True)
    summed = np.stack([summed_up(odds, own) for odds, own in pieces])
    answer_labels = np.array([bool(each.wrong) for each in held])
    answers, answer_odds = _out_of_part(ANSWER_FEATURES, summed, answer_labels, parts)
    chances = [1 / (1 + np.exp(-each)) for each in (log_odds, answer_odds)]
    return _Trained(Weights(claims, lexicon, answers), chances[0], labels, chances[1], answer_labels)


def _with_lexicon(
    evidence: Sequence[Evidence], labels: Flags, parts: NDArray[np.int64]
) -> tuple[dict[str, float], Floats]:
    """Return the lexicon of all claims, and the claims' rows with what a lexicon of the other parts says of each."""
    missing = [each.missing_lexemes for each in evidence]
    found = np.zeros((len(evidence), len(CLAIM_FEATURES) - len(evidence[0].features)))
    for part in range(_PARTS):
        inside, outside = np.flatnonzero(parts == part), np.flatnonzero(parts != part)
        lexicon = learn([missing[each] for each in outside], labels[outside])
        found[inside] = look_up(lexicon, [missing[each] for each in inside])
    return learn(missing, labels), np.hstack([rows_of(evidence), found])


def _out_of_part(
    features: Sequence[str], rows: Floats, labels: Flags, parts: NDArray[np.int64]
) -> tuple[Calibration, Floats]:
    """Return the model of all rows, and each row's log-odds by a model of the other parts."""
    log_odds = np.zeros(len(rows))
    for part in range(_PARTS):
        inside = parts == part
        log_odds[inside] = fit(features, rows[~inside], labels[~inside], _RIDGE).log_odds(rows[inside])
    return fit(features, rows, labels, _RIDGE), log_odds


def _inner(example: Labelled) -> int:
    """The part of an answer within what weights are learned from."""
    return _part(example.group, _PARTS, "inner")


def _part(group: str, parts: int, salt: str = "") -> int:
    """Which part a group belongs to: by its name alone, so that every run divides alike."""
    return crc32(f"{salt}{group}".encode()) % parts
