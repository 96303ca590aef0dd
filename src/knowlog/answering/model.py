"""The nouns of answering. For every quote `version_text[start:end] == quote`; offsets are code points."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from knowlog.retrieval import Passage

Status = Literal["answered", "not_in_documents"]
Rung = Literal["generated", "generated_by_second", "extractive"]
"""Where on the ladder an answer stands: written by a language model and verified, or made of quotations."""

NOT_IN_DOCUMENTS = "Not in your documents."
"""The text of an answer that abstains."""


@dataclass(frozen=True, slots=True)
class Citation:
    """An exact quote and where it stands: `version_text[start:end] == quote`; `score` as in Statement.

    `pages` are those on which the quote stands: one, or more where it runs over their border. `context` is, for a row of
    a table, what it stands under, on one line: the names of the columns, as far as they are found; `cells` is where it
    stands in a sheet, such as `Sheet1!B2:C4`. `flagged`: the passage that it stands in looks like
    instructions to a machine.
    """

    quote: str
    document_id: UUID
    version: int
    collection: str
    external_id: str
    title: str
    start: int
    end: int
    pages: tuple[int, ...]
    headings: tuple[str, ...]
    score: float
    context: str | None = None
    flagged: bool = False
    cells: str | None = None

    @property
    def page(self) -> int | None:
        """The page on which the quote begins; None in a text without pages."""
        return self.pages[0] if self.pages else None


def cited(passage: Passage, first: int, last: int, score: float) -> Citation:
    """The span [first, last) of a passage's text as a citation; one that begins in its lead has a negative `first`."""
    start, end, led = passage.start + first, passage.start + last, len(passage.lead)
    return Citation(
        quote=(passage.lead + passage.text)[led + first : led + last],
        document_id=passage.document_id,
        version=passage.version,
        collection=passage.collection,
        external_id=passage.external_id,
        title=passage.title,
        start=start,
        end=end,
        pages=passage.pages_of(start, end),
        headings=passage.headings_at(start),
        score=round(score, 4),
        flagged=passage.flagged,
    )


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of an answer, the quotes it rests on (best first), and how well it fits the question.

    `score` only ranks statements of one answer; it is not a probability. `answers`: it is part of the answer's
    text; otherwise it stands near the question and is offered apart ("See also").
    """

    text: str
    citations: tuple[Citation, ...]
    score: float
    answers: bool = True


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two sentences of different documents, of which at most one is right: both sides, and what they differ in."""

    differ_in: Literal["figure", "negation"]
    sides: tuple[Citation, Citation]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the documents say to a question. `text` is what answers it: `statements` offer more, marked as such.

    `confidence` is the probability, 0 to 1, that the passages hold the answer; an answer that abstains has no
    statements, and offers the passages that came closest as `nearest`. `took_ms` is the time spent composing.
    `by_words_alone` says that the model did not answer, so that no sentence was compared by meaning. `rung` says how it
    was made; where that is not what was asked for, `degraded` names what failed, and `notes` say it in sentences.
    `contradictions` are between documents that fit the question; `follow_ups` could be asked next, and the documents
    answer them; `follow_ups_rung` says who wrote these: a language model, or nobody, and they are made of what was found.
    `unsupported` is what a language model said besides that the passages do not support: no part of the answer.
    """

    question: str
    status: Status
    text: str
    statements: tuple[Statement, ...]
    confidence: float
    nearest: tuple[Passage, ...] = ()
    took_ms: float = 0.0
    by_words_alone: bool = False
    rung: Rung = "extractive"
    degraded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    follow_ups: tuple[str, ...] = ()
    follow_ups_rung: Rung = "extractive"
    unsupported: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PassagesFound:
    """Event `passages`: the passages an answer will be sought in, best first."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class StatementFound:
    """Event `statement`: the next statement of the answer; `number` counts from 1."""

    number: int
    statement: Statement


@dataclass(frozen=True, slots=True)
class Done:
    """Event `done`: the whole answer. It always comes last, and always comes."""

    answer: Answer


AnswerEvent = PassagesFound | StatementFound | Done
