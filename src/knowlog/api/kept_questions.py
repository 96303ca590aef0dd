"""Whether the tenant's questions are kept, to make datasets of. They are not, until an admin says so."""

from datetime import datetime

from fastapi import APIRouter, Response

from knowlog.api.dependencies import AsAdminOfAll, Route, TheApp, reply
from knowlog.api.model import Body, problems
from knowlog.database import Connection
from knowlog.evaluation import forget_questions, keep_questions, kept_since
from knowlog.tenants import record

router = APIRouter(prefix="/v1/kept-questions", tags=["datasets"], route_class=Route, responses=problems())


class Keeping(Body):
    """Whether questions are kept; since when, on whose word, and how many there are."""

    kept: bool
    since: datetime | None
    agreed_by: str | None
    question_count: int


@router.get("", response_model=Keeping, summary="Show whether questions are kept")
async def show(caller: AsAdminOfAll, app: TheApp) -> Response:
    """Show whether the questions that are asked of this tenant's collections are kept."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await _shown(connection))


@router.put("", response_model=Keeping, summary="Keep questions from now on")
async def keep(caller: AsAdminOfAll, app: TheApp) -> Response:
    """Keep each question that is asked from now on: its text, its collection, when, and whether it was answered; never
    who asked. It begins within ten seconds.
    """
    async with app.database.transaction(caller.scope) as connection:
        await keep_questions(connection, caller.scope)
        await record(connection, caller.scope, "questions.kept", None, {})
        return reply(await _shown(connection))


@router.delete("", status_code=204, summary="Keep questions no longer")
async def forget(caller: AsAdminOfAll, app: TheApp) -> Response:
    """Keep no more questions, and delete those that were kept. Datasets that were made of them stay."""
    async with app.database.transaction(caller.scope) as connection:
        await forget_questions(connection)
        await record(connection, caller.scope, "questions.forgotten", None, {})
    return Response(status_code=204)


async def _shown(connection: Connection) -> Keeping:
    found = await kept_since(connection)
    if found is None:
        return Keeping(kept=False, since=None, agreed_by=None, question_count=0)
    return Keeping(kept=True, since=found[0], agreed_by=found[1], question_count=found[2])
