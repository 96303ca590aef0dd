"""Question and passages to an answer: of exact quotes, or written by a model; or an honest "not in your documents"."""

from knowlog.answering.actions import compose
from knowlog.answering.generated import Said, Written, verified
from knowlog.answering.ladder import STANDING, Writing, answer_by_ladder, as_events
from knowlog.answering.leads import with_leads
from knowlog.answering.model import (
    NOT_IN_DOCUMENTS,
    Answer,
    AnswerEvent,
    Citation,
    Contradiction,
    Done,
    PassagesFound,
    Rung,
    Statement,
    StatementFound,
    Status,
)
from knowlog.answering.question import valid_question
from knowlog.answering.sentences import Kind, Sentence, readable, split

__all__ = [
    "NOT_IN_DOCUMENTS",
    "STANDING",
    "Answer",
    "AnswerEvent",
    "Citation",
    "Contradiction",
    "Done",
    "Kind",
    "PassagesFound",
    "Rung",
    "Said",
    "Sentence",
    "Statement",
    "StatementFound",
    "Status",
    "Writing",
    "Written",
    "answer_by_ladder",
    "as_events",
    "compose",
    "readable",
    "split",
    "valid_question",
    "verified",
    "with_leads",
]
