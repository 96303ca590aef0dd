"""What people think of answers: a thumb, and what would have been right. A tenant's datasets can be made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from knowlog.database import Connection, Scope, load_queries
from knowlog.documents import within
from knowlog.evaluation.answer_ids import unseal
from knowlog.evaluation.model import Excerpt, Question
from knowlog.kernel import new_id
from knowlog.kernel.errors import NotFound

Thumb = Literal["up", "down"]
_SQL = load_queries("knowlog.evaluation", "feedback.sql")
_MOST_ANSWERS = 50
_MOST_EXCERPTS = 100


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody thinks of an answer of theirs. `answered`: the documents were said to answer the question."""

    feedback_id: UUID
    collection_id: UUID
    collection: str
    question: str
    answered: bool
    asked_at: datetime
    thumb: Thumb
    correction: str | None
    comment: str | None
    given_by: str
    given_at: datetime


@dataclass(frozen=True, slots=True)
class Opinion:
    """A thumb; the answer that would have been right, if the giver knows it; and anything else they want to say."""

    thumb: Thumb
    correction: str | None = None
    comment: str | None = None


async def give_feedback(
    connection: Connection, scope: Scope, member_id: UUID | None, answer_id: str, opinion: Opinion
) -> Feedback:
    """Say what the caller, a member or a key, thinks of an answer that they got; what they said before is replaced.

    Raises NotFound for the answer of somebody else, and for one whose question is not kept, or not any more.
    """
    question_id = unseal(await connection.fetchval(_SQL["key"]), scope.principal, answer_id)
    feedback_id = question_id and await connection.fetchval(
        _SQL["give"], new_id(), question_id, member_id, scope.principal, opinion.thumb, opinion.correction,
        opinion.comment,
    )  # fmt: skip
    if not feedback_id:
        raise NotFound(
            "You got no answer with this id, or its question is not kept any more. `answer_id` stands in the answer "
            "itself, while the tenant has its questions kept (`PUT /v1/kept-questions`,"
            " `knowlog datasets keep-questions yes`)."
        )
    return await get_feedback(connection, scope, feedback_id, None)


async def list_feedback(
    connection: Connection, scope: Scope, given_by: str | None, collection_id: UUID | None = None,
    thumb: Thumb | None = None, before: tuple[datetime, UUID] | None = None, most: int = 50,
) -> list[Feedback]:  # fmt: skip
    """List what one giver has said, or all have (None), newest first, from behind the moment and id `before`."""
    moment, last = before or (None, None)
    rows = await connection.fetch(
        _SQL["list"], given_by, within(scope), collection_id, thumb, moment, last, most
    )
    return [Feedback(**row) for row in rows]


async def get_feedback(
    connection: Connection, scope: Scope, feedback_id: UUID, given_by: str | None
) -> Feedback:
    """Return what was said, by one giver or by whoever (None). Raises NotFound."""
    row = await connection.fetchrow(_SQL["find"], feedback_id, given_by, within(scope))
    if row is None:
        raise NotFound(
            "There is no such feedback. `GET /v1/feedback` lists yours, as `knowlog feedback list` does."
        )
    return Feedback(**row)


async def delete_feedback(
    connection: Connection, scope: Scope, feedback_id: UUID, given_by: str | None
) -> Feedback:
    """Delete what was said; the question stays. Raises as `get_feedback` does."""
    found = await get_feedback(connection, scope, feedback_id, given_by)
    await connection.execute(_SQL["delete"], feedback_id)
    return found


async def questions_said(connection: Connection, collection_id: UUID, most: int) -> list[Question]:
    """Return different questions on whose answers something was said, newest first, with what is known by that."""
    rows = await connection.fetch(_SQL["said"], collection_id, most)
    return [
        question_said(f"feedback-{number}", row["question"], row["said"])
        for number, row in enumerate(rows, start=1)
    ]


def question_said(question_id: str, text: str, said: Sequence[Mapping[str, Any]]) -> Question:
    """A question with what all that was said of its answers, the newest first, tells about it.

    Corrections are its answers. Where more thumbs are up than down, what the answers with a thumb up quoted is what
    answers it; if they only said that the documents do not, and nobody knew better, nothing does.
    """
    corrections = tuple(dict.fromkeys(each["correction"] for each in said if each["correction"]))
    liked = [each for each in said if each["thumb"] == "up"]
    if 2 * len(liked) <= len(said):
        liked = []
    quotes = dict.fromkeys(
        (quote["document"], quote["text"])
        for each in liked
        for quote in each["cited"]
        if quote["text"].strip()
    )
    excerpts = tuple(Excerpt(*quote) for quote in list(quotes)[:_MOST_EXCERPTS])
    nothing = bool(liked) and not corrections and not any(each["answered"] for each in liked)
    return Question(
        question_id,
        text,
        corrections[:_MOST_ANSWERS],
        {each.document: 1 for each in excerpts},
        excerpts,
        nothing,
    )
