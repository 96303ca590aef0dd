"""The nouns of faithfulness. For every claim `answer[start:end] == text`; offsets are code points."""

from dataclasses import dataclass
from typing import Literal

Label = Literal["supported", "unsupported"]


@dataclass(frozen=True, slots=True)
class Claim:
    """One checkable statement: a sentence of an answer."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Basis:
    """The span of a passage that a claim rests on, or comes nearest to: `passages[passage][start:end] == quote`."""

    passage: int
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge says of one claim. `score` is the probability, 0 to 1, that the passages support it.

    `reason` is a sentence for a person; `basis` is None where no passage has anything to do with the claim.
    """

    claim: Claim
    label: Label
    score: float
    reason: str
    basis: Basis | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge says of a whole answer. `score` is the probability, 0 to 1, that all of it is supported.

    An answer without a claim is faithful: it says nothing. `judge` names who judged, with its version.
    """

    faithful: bool
    score: float
    verdicts: tuple[Verdict, ...]
    judge: str
