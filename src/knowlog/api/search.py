"""Search: a question to passages."""

from time import perf_counter
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from knowlog.api.dependencies import AsReader, Route, TheApp, reply
from knowlog.api.model import Body, problems
from knowlog.api.questions import Asked, FoundPassage, look_up, passages_json, record_read
from knowlog.edge import visit_of
from knowlog.retrieval import Retrieved

router = APIRouter(prefix="/v1/search", tags=["search"], route_class=Route, responses=problems(404))


class SearchBody(Asked):
    """A search."""

    limit: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None, description="How many passages. Null: as many as the collection's profile says; of several, 10."
    )
    explain: bool = Field(False, description="Show each leg's rank and score, and what the pattern did.")


class Cost(Body):
    """What a search spent: tokens of the questions embedded, calls of a language model, and their tokens."""

    embedded_tokens: int
    calls: int
    model_tokens: int


class DoneStep(Body):
    """Something that a pattern did."""

    what: str
    detail: dict[str, Any]


class Found(Body):
    """Passages, best first. Scores rank passages of one search; they are no probabilities."""

    question: str
    passages: list[FoundPassage]
    took_ms: float
    degraded: list[str] = Field(
        description="Legs that had to be left out, because what they rest on is down."
    )
    notes: list[str] = Field(description="What that means, in sentences for a person.")
    pattern: str = Field(description="The way in which the passages were found.")
    steps: list[DoneStep] = Field(
        default_factory=list, description="What the pattern did, where an explanation was asked for."
    )
    cost: Cost | None = Field(None, description="What it spent, where an explanation was asked for.")


@router.post("", response_model=Found, summary="Search for passages")
async def search(body: SearchBody, request: Request, caller: AsReader, app: TheApp) -> Response:
    """Find the passages that fit a question best.

    Example: `{"question": "How long does the warranty last?", "limit": 5, "filter": {"year": {"gte": 2025}}}`.
    """
    started = perf_counter()
    visit_of(request.scope).question = True
    found = await look_up(app, caller.scope, body, body.limit)
    request.app.state.metrics.searched(found.pattern, perf_counter() - started, found.calls)
    await record_read(app, caller.scope, "search.asked", len(found.passages))
    return reply(
        {
            "question": body.question,
            "passages": passages_json(app, found.passages, body.explain),
            "degraded": found.degraded,
            "notes": found.notes,
            "pattern": found.pattern,
            **(_explanation(found) if body.explain else {}),
            "took_ms": round((perf_counter() - started) * 1000, 3),
        }
    )


def _explanation(found: Retrieved) -> dict[str, Any]:
    cost = {
        "embedded_tokens": found.embedded_tokens, "calls": found.calls, "model_tokens": found.written_tokens,
    }  # fmt: skip
    return {"steps": found.steps, "cost": cost}
