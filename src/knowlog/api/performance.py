"""How fast a tenant is served, and how what that rests on stands."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from knowlog.api.dependencies import AsAdminOfAll, Route, TheApp, reply
from knowlog.api.model import Listing, problems
from knowlog.bus import WorkOfMinute, work_by_minute
from knowlog.edge import Pace
from knowlog.resilience import Dependency

router = APIRouter(prefix="/v1", tags=["limits"], route_class=Route, responses=problems())


class QuestionsOfMinute(BaseModel):
    """Searches and answers that ended in the minute that begins at `at`."""

    at: datetime
    questions: int
    failed: int
    p50_ms: float
    p95_ms: float


class Performance(BaseModel):
    """The last hour. Minutes in which nothing ended are left out."""

    since: datetime = Field(description="Since when the process that answers counts questions.")
    questions: list[QuestionsOfMinute] = Field(description="Asked of the process that answers.")
    jobs: list[WorkOfMinute] = Field(description="Done by all workers.")


@router.get("/performance", response_model=Performance, summary="Show how fast it is")
async def performance(request: Request, caller: AsAdminOfAll, app: TheApp) -> Response:
    """Show the tenant's questions and jobs of the last hour, minute by minute: how many, and how long they took.
    Questions are those that the answering process has served; a job's time is that of its last attempt. Percentiles of
    questions are exact to ten per cent.
    """
    pace: Pace = request.app.state.pace
    async with app.database.transaction(caller.scope) as connection:
        jobs = await work_by_minute(connection)
    questions = [
        {
            "at": _moment(each.at), "questions": each.questions, "failed": each.failed, "p50_ms": each.p50_ms,
            "p95_ms": each.p95_ms,
        }
        for each in pace.of(str(caller.scope.tenant_id))
    ]  # fmt: skip
    return reply({"since": _moment(pace.since), "questions": questions, "jobs": jobs})


@router.get("/dependencies", response_model=Listing[Dependency], summary="Show what answers rest on")
async def dependencies(caller: AsAdminOfAll, app: TheApp) -> Response:
    """Show how each model that the installation asks over the network stands, as this process sees it: its breaker is
    `closed` while it answers, `open` while it is left alone, `half-open` while it is tried. Models inside knowlog itself
    are not among them.
    """
    return reply({"items": app.dependencies, "next_cursor": None})


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
