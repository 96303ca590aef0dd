"""Question and passages to an answer of exact quotes, or to an honest "not in your documents"."""

from knowlog.answering.actions import compose, compose_events
from knowlog.answering.model import (
    NOT_IN_DOCUMENTS,
    Answer,
    AnswerEvent,
    Citation,
    Done,
    PassagesFound,
    Statement,
    StatementFound,
)
from knowlog.answering.question import valid_question

__all__ = [
    "NOT_IN_DOCUMENTS",
    "Answer",
    "AnswerEvent",
    "Citation",
    "Done",
    "PassagesFound",
    "Statement",
    "StatementFound",
    "compose",
    "compose_events",
    "valid_question",
]
