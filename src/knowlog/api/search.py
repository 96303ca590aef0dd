"""Search: a question to passages."""

from time import perf_counter
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from knowlog.api.dependencies import AsReader, Route, TheApp, reply
from knowlog.api.model import Body, problems
from knowlog.api.questions import Asked, FoundPassage, look_up, passages_json, record_read

router = APIRouter(prefix="/v1/search", tags=["search"], route_class=Route, responses=problems(404))


class SearchBody(Asked):
    """A search."""

    limit: Annotated[int, Field(ge=1, le=100)] = 10
    explain: bool = Field(False, description="Show each leg's rank and score.")


class Found(Body):
    """Passages, best first. Scores rank passages of one search; they are no probabilities."""

    question: str
    passages: list[FoundPassage]
    took_ms: float
    degraded: list[str] = Field(
        description="Legs that had to be left out, because what they rest on is down."
    )
    notes: list[str] = Field(description="What that means, in sentences for a person.")


@router.post("", response_model=Found, summary="Search for passages")
async def search(body: SearchBody, caller: AsReader, app: TheApp) -> Response:
    """Find the passages that fit a question best.

    Example: `{"question": "How long does the warranty last?", "limit": 5, "filter": {"year": {"gte": 2025}}}`.
    """
    started = perf_counter()
    found = await look_up(app, caller.scope, body, body.limit)
    await record_read(app, caller.scope, "search.asked", len(found.passages))
    return reply(
        {
            "question": body.question,
            "passages": passages_json(app, found.passages, body.explain),
            "degraded": found.degraded,
            "notes": found.notes,
            "took_ms": round((perf_counter() - started) * 1000, 3),
        }
    )
