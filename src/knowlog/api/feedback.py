"""Feedback: what people think of the answers that they got."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import AfterValidator, Field

from knowlog.api.dependencies import NO_NUL, AsReader, Cursor, Limit, Route, Text, TheApp, as_json, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.api.paging import page_of
from knowlog.api.repeating import Repeats
from knowlog.database import Connection
from knowlog.documents import find_collection
from knowlog.edge import Answer, decode_cursor
from knowlog.evaluation import (
    Feedback,
    Opinion,
    Thumb,
    delete_feedback,
    get_feedback,
    give_feedback,
    list_feedback,
)
from knowlog.tenants import Principal, record

router = APIRouter(prefix="/v1", tags=["answers"], route_class=Route, responses=problems())


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must hold a word; leave it out if you have none")
    return text


Words = Annotated[str, Field(min_length=1, max_length=2000), NO_NUL, AfterValidator(_not_blank)]


class NewFeedback(Body):
    """What you think of an answer."""

    thumb: Thumb = Field(description="`up`: the answer was right; `down`: it was not.", examples=["down"])
    correction: Words | None = Field(
        None, description="The right answer, in words of your own.", examples=["Two years"]
    )
    comment: Words | None = Field(None, description="Anything else.")


@router.post(
    "/answers/{answer_id}/feedback",
    status_code=201,
    response_model=Feedback,
    responses=problems(404, 409),
    summary="Say whether an answer helped",
)
async def give(
    answer_id: Annotated[str, Path(description="`answer_id` of an answer.", max_length=200), NO_NUL],
    body: NewFeedback,
    caller: AsReader,
    app: TheApp,
    repeats: Repeats,
) -> Response:
    """Say what you think of an answer that you got; what you said of it before is replaced. Answers of others are absent.

    It is kept with your name, beside the question. Admins see it, and may make datasets of it. It goes when you delete
    it, when you leave the tenant, when the question's term is over, and when questions are kept no longer.

    Example: `{"thumb": "down", "correction": "Two years"}`.
    """
    opinion = Opinion(body.thumb, body.correction, body.comment)

    async def act(connection: Connection) -> Answer:
        given = await give_feedback(connection, caller.scope, caller.member_id, answer_id, opinion)
        await _record(connection, caller, "given", given)
        return Answer(201, as_json(given), {"Location": f"/v1/feedback/{given.feedback_id}"})

    return await repeats.reply(app, caller.scope, act)


@router.get(
    "/feedback",
    response_model=Listing[Feedback],
    responses=problems(404),
    summary="List feedback, newest first",
)
async def listing(
    caller: AsReader,
    app: TheApp,
    collection: Annotated[Text | None, Query(description="Only on answers from this one.", max_length=200)] = None,
    thumb: Annotated[Thumb | None, Query(description="Only these.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:  # fmt: skip
    """List what you have said of answers; as an admin, what all have."""
    before: Any = decode_cursor(cursor, datetime, UUID)
    async with app.database.transaction(caller.scope) as connection:
        one = collection and await find_collection(connection, caller.scope, collection)
        found = await list_feedback(
            connection, caller.scope, _giver(caller), one or None, thumb, before, limit + 1
        )
    return page_of(found, limit, lambda each: (each.given_at, each.feedback_id))


@router.get(
    "/feedback/{feedback_id:uuid}",
    response_model=Feedback,
    responses=problems(404),
    summary="Show one piece of feedback",
)
async def show(feedback_id: UUID, caller: AsReader, app: TheApp) -> Response:
    """Show what you, or as an admin somebody, said of an answer."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await get_feedback(connection, caller.scope, feedback_id, _giver(caller)))


@router.delete(
    "/feedback/{feedback_id:uuid}",
    status_code=204,
    responses=problems(404),
    summary="Delete feedback for good",
)
async def delete(feedback_id: UUID, caller: AsReader, app: TheApp) -> Response:
    """Delete what you, or as an admin somebody, said of an answer. Datasets that were made of it stay."""
    async with app.database.transaction(caller.scope) as connection:
        gone = await delete_feedback(connection, caller.scope, feedback_id, _giver(caller))
        await _record(connection, caller, "deleted", gone)
    return Response(status_code=204)


def _giver(caller: Principal) -> str | None:
    """Whose feedback the caller sees: their own, or everybody's."""
    return None if caller.may("admin") else caller.scope.principal


async def _record(connection: Connection, caller: Principal, done: str, feedback: Feedback) -> None:
    told: dict[str, Any] = {"collection_id": feedback.collection_id, "thumb": feedback.thumb}
    await record(connection, caller.scope, f"feedback.{done}", f"feedback:{feedback.feedback_id}", told)
