"""Runs: one evaluation of a collection's profile on a dataset, done in the background, kept, and compared."""

from dataclasses import asdict, replace
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from knowlog.api.dependencies import NO_NUL, After, AsAdmin, Cursor, Limit, Route, TheApp, as_json, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.api.paging import page_of
from knowlog.api.questions import mode_of
from knowlog.api.repeating import Repeats
from knowlog.database import Connection, Scope
from knowlog.edge import Answer, decode_cursor
from knowlog.evaluation import (
    MEASURES,
    Compared,
    Measure,
    Mode,
    Result,
    Run,
    Wanted,
    cancel_run,
    compare,
    create_run,
    delete_run,
    get_run,
    list_runs,
    regressions,
    report_of,
    results_of,
    uncompared,
    unjudged,
)
from knowlog.kernel.errors import Conflict, Invalid
from knowlog.tenants import Principal, record

router = APIRouter(prefix="/v1/runs", tags=["runs"], route_class=Route, responses=problems())

Name = Annotated[str, Field(min_length=1, max_length=200), NO_NUL]
Against = Annotated[UUID, Query(description="Id of the run to compare with: A, where this one is B.")]
AllMeasures = tuple[Measure, ...]


class NewRun(Body):
    """What to measure."""

    dataset: Name = Field(description="Name or id of the dataset.")
    k: int = Field(5, ge=1, le=100, description="Depth of the figures of retrieval.")
    measures: AllMeasures = Field(MEASURES, min_length=1, description="Groups of metrics.")
    mode: Mode | None = Field(
        None,
        description="How answers are made: of quotations (`extractive`), or written by a language model (`generated`),"
        " which is asked once for each question, on your tenant's account. Null: as users' answers are, which"
        " `wanted.mode` of the run tells.",
    )
    seed: int = Field(1, ge=0, le=2**31 - 1, description="Seed of the bootstrap intervals.")
    label: Name | None = Field(None, description="What the run is called in comparisons.")
    price_per_million: float = Field(
        0,
        ge=0,
        le=1e6,
        description="Price of a million tokens that a language model reads; 0 leaves cost out.",
    )


class DifferenceBody(Body):
    """By how much B differs from A in a metric, question by question, with its interval."""

    metric: str
    first: float
    second: float
    difference: dict[str, float]
    outcome: Literal["better", "worse", "no difference shown"]
    verdict: str


class LeftOutBody(Body):
    """Metrics in which two runs are not compared, and why."""

    metrics: list[str]
    reason: str


class Comparison(Body):
    """What differs between two runs, and which of it is a regression that a gate refuses."""

    first: str
    second: str
    synthetic: bool = Field(description="Whether the questions are drafts of a machine.")
    differences: list[DifferenceBody]
    left_out: list[LeftOutBody] = Field(description="Metrics in which the runs cannot be compared.")
    regressions: list[DifferenceBody]
    unjudged: list[LeftOutBody] = Field(description="What a gate should look at and cannot.")
    passed: bool = Field(description="Nothing is worse, and nothing is unjudged.")


@router.post("", status_code=202, response_model=Run, responses=problems(404, 409), summary="Start a run")
async def create(body: NewRun, caller: AsAdmin, app: TheApp, repeats: Repeats) -> Response:
    """Ask for a run; a worker does it, one question after the other. `GET` it to see how far it is.

    Example: `{"dataset": "questions-2026", "k": 5, "label": "chunks of 300"}`.
    """
    wanted = Wanted(body.k, tuple(dict.fromkeys(body.measures)), body.price_per_million)
    if wanted.answers:
        wanted = replace(wanted, mode=await mode_of(app, caller.scope, body.mode))
    elif body.mode:
        raise Invalid(
            "Nothing is answered in such a run, so that a mode (--mode) changes nothing. Leave it out, or measure"
            " answers or faithfulness too."
        )

    async def act(connection: Connection) -> Answer:
        run = await create_run(connection, caller.scope, body.dataset, wanted, body.seed, body.label)
        await _record(connection, caller, "started", run)
        return Answer(202, as_json(run), {"Location": f"/v1/runs/{run.run_id}"})

    return await repeats.reply(app, caller.scope, act)


@router.get("", response_model=Listing[Run], responses=problems(404), summary="List runs, newest first")
async def listing(
    caller: AsAdmin,
    app: TheApp,
    dataset: Annotated[Name | None, Query(description="Only on this dataset.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """List runs with their figures."""
    before: Any = decode_cursor(cursor, UUID)
    async with app.database.transaction(caller.scope) as connection:
        found = await list_runs(connection, caller.scope, dataset, before and before[0], limit + 1)
    return page_of(found, limit, lambda each: (each.run_id,))


@router.get("/{run_id:uuid}", response_model=Run, responses=problems(404), summary="Show one run")
async def show(run_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Show a run: its state, how many questions are `done`, and its `figures` once it is done."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await get_run(connection, caller.scope, run_id))


@router.post(
    "/{run_id:uuid}:cancel", response_model=Run, responses=problems(404, 409), summary="Cancel a run"
)
async def cancel(run_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Cancel a run that waits or is under way; nothing of it is kept."""
    async with app.database.transaction(caller.scope) as connection:
        run = await cancel_run(connection, caller.scope, run_id, caller.scope.principal)
        await _record(connection, caller, "cancelled", run)
    return reply(run)


@router.delete("/{run_id:uuid}", status_code=204, responses=problems(404, 409), summary="Delete a run")
async def delete(run_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Delete a run with all that it measured."""
    async with app.database.transaction(caller.scope) as connection:
        await _record(connection, caller, "deleted", await delete_run(connection, caller.scope, run_id))
    return Response(status_code=204)


@router.get(
    "/{run_id:uuid}/results",
    response_model=Listing[Result],
    responses=problems(404),
    summary="List the results of a run",
)
async def results(
    run_id: UUID,
    caller: AsAdmin,
    app: TheApp,
    after: After = 0,
    limit: Limit = 50,
) -> Response:
    """List scores and findings in the order of the questions. `next_cursor` is the next page's `after`."""
    async with app.database.transaction(caller.scope) as connection:
        await get_run(connection, caller.scope, run_id)
        found = await results_of(connection, run_id, after, limit + 1)
    following = str(found[limit - 1].position) if len(found) > limit else None
    return reply({"items": found[:limit], "next_cursor": following})


@router.get(
    "/{run_id:uuid}/report",
    response_model=dict[str, Any],
    responses=problems(404, 409),
    summary="Report on a run",
)
async def report(
    run_id: UUID,
    caller: AsAdmin,
    app: TheApp,
    against: Annotated[UUID | None, Query(description="Id of a run to compare with.")] = None,
) -> Response:
    """Figures with intervals, how they are spread, the worst twenty questions; and the differences to another run."""
    async with app.database.transaction(caller.scope) as connection:
        run, measured = await _finished(connection, caller.scope, run_id)
        other = None if against is None else await _finished(connection, caller.scope, against)
    compared = None
    if other is not None:
        baseline, sides = other[0], (other[1], measured)
        compared = Compared(baseline, compare(baseline, run, sides), uncompared(baseline, run, sides))
    return reply(report_of(run, measured, compared))


@router.get(
    "/{run_id:uuid}/comparison",
    response_model=Comparison,
    responses=problems(404, 409),
    summary="Compare a run with another",
)
async def comparison(
    run_id: UUID,
    against: Against,
    caller: AsAdmin,
    app: TheApp,
    metric: Annotated[
        list[Name] | None, Query(description="Metrics of the gate. Default: all of quality.", max_length=50)
    ] = None,
) -> Response:
    """Compare question by question, with a verdict in a sentence for each metric. Both runs must be on the same data.

    `regressions` are the metrics in which this run is significantly worse, with intervals widened for the number of
    metrics looked at. `unjudged` are metrics of the other run that a gate should look at and cannot: measured
    differently, or not at all.
    """
    async with app.database.transaction(caller.scope) as connection:
        second, measured = await _finished(connection, caller.scope, run_id)
        first, before = await _finished(connection, caller.scope, against)
    sides = (before, measured)
    worse = regressions(first, second, sides, metric or ())
    open_ = unjudged(first, second, sides, metric or ())
    return reply(
        {
            "first": first.label or str(first.run_id),
            "second": second.label or str(second.run_id),
            "synthetic": second.origin == "synthetic",
            "differences": [asdict(each) for each in compare(first, second, sides)],
            "left_out": [asdict(each) for each in uncompared(first, second, sides)],
            "regressions": [asdict(each) for each in worse],
            "unjudged": [asdict(each) for each in open_],
            "passed": not worse and not open_,
        }
    )


async def _finished(connection: Connection, scope: Scope, run_id: UUID) -> tuple[Run, list[Result]]:
    run = await get_run(connection, scope, run_id)
    if run.state != "done":
        raise Conflict(
            f"Run {run_id} is {run.state}: only runs that are done can be reported on and compared."
        )
    return run, await results_of(connection, run_id)


async def _record(connection: Connection, caller: Principal, done: str, run: Run) -> None:
    told = {"dataset": run.dataset, "label": run.label}
    await record(connection, caller.scope, f"run.{done}", f"run:{run.run_id}", told)
