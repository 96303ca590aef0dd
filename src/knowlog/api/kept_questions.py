"""Whether the tenant's questions are kept, to make datasets of. They are not, until an admin says so."""

from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import Field

from knowlog.api.dependencies import AsAdminOfAll, Route, TheApp, reply
from knowlog.api.model import Body, problems
from knowlog.database import Connection
from knowlog.evaluation import MOST_DAYS, forget_questions, keep_questions, kept_since
from knowlog.tenants import record

router = APIRouter(prefix="/v1/kept-questions", tags=["datasets"], route_class=Route, responses=problems())

_DAYS = 365


class Keeping(Body):
    """Whether questions are kept; since when, on whose word, for how long, how many there are, and feedback on how
    many.
    """

    kept: bool
    since: datetime | None
    agreed_by: str | None
    keep_days: int | None
    question_count: int
    feedback_count: int


class Term(Body):
    """For how long."""

    keep_days: int | None = Field(
        _DAYS,
        ge=1,
        le=MOST_DAYS,
        description="A question goes so many days after it was asked, with the feedback on its answer. Null: when they "
        "are kept no longer.",
    )


@router.get("", response_model=Keeping, summary="Show whether questions are kept")
async def show(caller: AsAdminOfAll, app: TheApp) -> Response:
    """Show whether the questions that are asked of this tenant's collections are kept."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await _shown(connection))


@router.put("", response_model=Keeping, summary="Keep questions from now on")
async def keep(caller: AsAdminOfAll, app: TheApp, body: Term | None = None) -> Response:
    """Keep each question that is asked from now on: its text, its collection, when, and where the quotes of its answer
    stand; never who asked. Answers then have an `answer_id`, for feedback. It begins within ten seconds.
    """
    keep_days = body.keep_days if body else _DAYS
    async with app.database.transaction(caller.scope) as connection:
        await keep_questions(connection, caller.scope, keep_days)
        await record(connection, caller.scope, "questions.kept", None, {"keep_days": keep_days})
        return reply(await _shown(connection))


@router.delete("", status_code=204, summary="Keep questions no longer")
async def forget(caller: AsAdminOfAll, app: TheApp) -> Response:
    """Keep no more questions, and delete those that were kept, with all feedback. Datasets that were made of them
    stay.
    """
    async with app.database.transaction(caller.scope) as connection:
        await forget_questions(connection)
        await record(connection, caller.scope, "questions.forgotten", None, {})
    return Response(status_code=204)


async def _shown(connection: Connection) -> Keeping:
    found = await kept_since(connection)
    if found is None:
        return Keeping(
            kept=False, since=None, agreed_by=None, keep_days=None, question_count=0, feedback_count=0
        )
    return Keeping(kept=True, **asdict(found))
