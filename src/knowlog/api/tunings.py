"""Tunings: the search for the profile with which a collection answers a dataset best, done in the background."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from knowlog.api.dependencies import NO_NUL, AsAdmin, Cursor, Limit, Route, TheApp, as_json, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.api.paging import page_of
from knowlog.api.repeating import Repeats
from knowlog.api.switches import accepted
from knowlog.chunking import READ_BY, StrategyName, unread
from knowlog.database import Connection
from knowlog.documents import Profile
from knowlog.edge import Answer, decode_cursor
from knowlog.evaluation.tuning import (
    Sought,
    Tuning,
    apply_tuning,
    cancel_tuning,
    create_tuning,
    delete_tuning,
    get_tuning,
    list_tunings,
)
from knowlog.ingestion import Switch
from knowlog.kernel.errors import Invalid
from knowlog.tenants import Principal, record

router = APIRouter(prefix="/v1/tunings", tags=["tunings"], route_class=Route, responses=problems())

_Name = Annotated[str, Field(min_length=1, max_length=200), NO_NUL]
_Share = Annotated[float, Field(ge=0, le=1)]
_Usual = Sought()


class NewTuning(Body):
    """What to tune, what to try, and what that may cost."""

    collection: _Name = Field(description="Name or id of the collection.")
    dataset: _Name = Field(description="Name or id of a dataset of it.")
    strategies: tuple[StrategyName, ...] | None = Field(
        None,
        min_length=1,
        description="Strategies of chunking to try. Default: those that ask no other model.",
    )
    sizes: tuple[int, ...] = Field(
        (), max_length=20, description="Sizes in tokens to try. Default: usual ones."
    )
    overlaps: tuple[float, ...] = Field(
        _Usual.overlaps,
        min_length=1,
        max_length=20,
        description="Overlaps to try, as shares of a size, below 0.5.",
    )
    weights: tuple[_Share, ...] = Field(
        _Usual.weights,
        max_length=20,
        description="Shares of the dense score to try where the best chunks were found.",
    )
    passages: tuple[Annotated[int, Field(ge=1, le=100)], ...] = Field(
        _Usual.passages,
        max_length=20,
        description="How many passages to try for a search and an answer, besides as many as the profile says now.",
    )
    minutes: float = Field(_Usual.minutes, gt=0, le=600, description="No trial begins when these are over.")
    configurations: int = Field(
        _Usual.configurations,
        ge=1,
        le=200,
        description="Most ways of cutting that are tried; drawn by the seed.",
    )
    documents: int = Field(
        _Usual.documents, ge=10, le=100_000, description="Most documents that a trial's index has."
    )
    seed: int = Field(1, ge=0, le=2**31 - 1, description="Seed of all that is drawn, and of the intervals.")


class Applied(Body):
    """What to switch to."""

    trial: int | None = Field(None, ge=0, description="Number of a trial. Default: the recommended one.")
    passages: int | None = Field(
        None,
        ge=1,
        le=100,
        description="With how many passages: a `k` with which the trial was measured. Default: of what is recommended the"
        " recommended number, of a trial that is named as many as before.",
    )


@router.post(
    "", status_code=202, response_model=Tuning, responses=problems(404, 409), summary="Start a tuning"
)
async def create(body: NewTuning, caller: AsAdmin, app: TheApp, repeats: Repeats) -> Response:
    """Ask for a tuning; a worker does it, and the collection answers as before meanwhile. `GET` it to see how far it is.

    Example: `{"collection": "handbook", "dataset": "questions-2026", "minutes": 20}`.
    """
    given = body.model_dump(exclude={"collection", "dataset", "seed"}, exclude_none=True)
    sought = Sought(**given)
    if "llm" in sought.strategies:
        app.complete_profile(Profile(chunking={"strategy": "llm"}))
    if "overlaps" in body.model_fields_set and unread(["overlap"], sought.strategies):
        raise Invalid(
            f"`overlaps` (--overlap) change nothing here: they are read by {', '.join(READ_BY['overlap'])} alone."
            " Name such a strategy, or leave them out."
        )

    async def act(connection: Connection) -> Answer:
        window = app.embedder.profile.window_tokens
        made = await create_tuning(
            connection, caller.scope, body.collection, body.dataset, sought, body.seed, window
        )
        await _record(connection, caller, "started", made)
        return Answer(202, as_json(made), {"Location": f"/v1/tunings/{made.tuning_id}"})

    return await repeats.reply(app, caller.scope, act)


@router.get("", response_model=Listing[Tuning], summary="List tunings, newest first")
async def listing(
    caller: AsAdmin,
    app: TheApp,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """List tunings with their reports."""
    before: Any = decode_cursor(cursor, UUID)
    async with app.database.transaction(caller.scope) as connection:
        found = await list_tunings(connection, caller.scope, before and before[0], limit + 1)
    return page_of(found, limit, lambda each: (each.tuning_id,))


@router.get("/{tuning_id:uuid}", response_model=Tuning, responses=problems(404), summary="Show a tuning")
async def show(tuning_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Show a tuning: its state, what it is `doing`, and its `report` once it is done.

    The report has a row for each trial with the interval of its target and its cost; `pareto` marks what no other
    beats at both. `verdict` says whether to change, by questions that decided nothing else.
    """
    async with app.database.transaction(caller.scope) as connection:
        return reply(await get_tuning(connection, caller.scope, tuning_id))


@router.post(
    "/{tuning_id:uuid}:apply",
    status_code=202,
    response_model=Switch,
    responses=problems(404, 409),
    summary="Apply a tuning",
)
async def apply(tuning_id: UUID, body: Applied, caller: AsAdmin, app: TheApp, repeats: Repeats) -> Response:
    """Switch the collection to what was recommended, or to the trial that is named; in one step, as a switch does.

    `POST /v1/collections/{collection}/rollback` takes it back.
    """

    async def act(connection: Connection) -> Answer:
        asked = await apply_tuning(connection, caller.scope, tuning_id, body.trial, body.passages)
        return await accepted(connection, caller, "collection.switch_asked", asked)

    return await repeats.reply(app, caller.scope, act)


@router.post(
    "/{tuning_id:uuid}:cancel", response_model=Tuning, responses=problems(404, 409), summary="Cancel a tuning"
)
async def cancel(tuning_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Cancel a tuning that waits or is under way. The indexes of its trials are removed within the hour."""
    async with app.database.transaction(caller.scope) as connection:
        found = await cancel_tuning(connection, caller.scope, tuning_id, caller.scope.principal)
        await _record(connection, caller, "cancelled", found)
    return reply(found)


@router.delete("/{tuning_id:uuid}", status_code=204, responses=problems(404, 409), summary="Delete a tuning")
async def delete(tuning_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Delete a tuning with its report. What was applied stays."""
    async with app.database.transaction(caller.scope) as connection:
        await _record(connection, caller, "deleted", await delete_tuning(connection, caller.scope, tuning_id))
    return Response(status_code=204)


async def _record(connection: Connection, caller: Principal, done: str, tuning: Tuning) -> None:
    told = {"collection": tuning.collection, "dataset": tuning.dataset}
    await record(connection, caller.scope, f"tuning.{done}", f"tuning:{tuning.tuning_id}", told)
