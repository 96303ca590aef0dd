"""An answer with its passages, read for judging: the evidence on each of its claims."""

from dataclasses import dataclass

from knowlog.faithfulness.claims import split_claims
from knowlog.faithfulness.evidence import Evidence, weigh
from knowlog.faithfulness.model import Claim
from knowlog.faithfulness.source import Source


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """The claims of an answer and the evidence on each, in reading order; whether it rests on a record."""

    claims: tuple[Claim, ...]
    evidence: tuple[Evidence, ...]
    is_record: bool


def read_answer(question: str, answer: str, source: Source) -> ReadAnswer:
    """Read an answer against a source."""
    claims = split_claims(answer)
    evidence = tuple(
        weigh(claim, (number, len(claims)), source, question) for number, claim in enumerate(claims)
    )
    return ReadAnswer(tuple(claims), evidence, source.is_record)
