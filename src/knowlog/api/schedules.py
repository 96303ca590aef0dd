"""Schedules: work on a collection that is asked for again and again."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import Field

from knowlog.api.dependencies import NO_NUL, AsAdmin, Route, Text, TheApp, as_json, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.api.repeating import Repeats
from knowlog.bus import (
    Job,
    Schedule,
    Timetable,
    create_schedule,
    delete_schedule,
    enable_schedule,
    get_job,
    get_schedule,
    list_schedules,
    run_schedule,
)
from knowlog.database import Connection
from knowlog.documents import find_collection
from knowlog.edge import Answer
from knowlog.kernel.errors import Invalid
from knowlog.tenants import Principal, name_in_addresses, record

router = APIRouter(prefix="/v1/schedules", tags=["schedules"], route_class=Route, responses=problems())

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["nightly"]), NO_NUL]
TheSchedule = Annotated[str, Path(description="Name or id of a schedule.", max_length=200), NO_NUL]
_LONGEST_S = 366 * 86400


class NewSchedule(Body):
    """A schedule to create: either `cron` or `every_s`."""

    name: Name
    collection: Annotated[Text, Field(max_length=200)] = Field(description="Name or id of the collection.")
    task: Literal["refresh", "retention"] = Field(
        description="`refresh` fetches documents by URL again; `retention` deletes those that are too old."
    )
    cron: Annotated[str, Field(max_length=100), NO_NUL] | None = Field(
        None, description="Minute, hour, day of the month, month, day of the week.", examples=["0 3 * * *"]
    )
    every_s: int | None = Field(None, ge=60, le=_LONGEST_S, description="Every so many seconds.")
    timezone: Annotated[str, Field(max_length=100), NO_NUL] = Field(
        "UTC", description="Time zone in which the cron expression counts.", examples=["Europe/Berlin"]
    )
    older_than_days: int | None = Field(
        None, ge=1, le=36500, description="For `retention`: age of a document's newest content."
    )


class Change(Body):
    """What is to change about a schedule."""

    enabled: bool


@router.post(
    "",
    status_code=201,
    response_model=Schedule,
    responses=problems(404, 409),
    summary="Create a schedule",
)
async def create(body: NewSchedule, caller: AsAdmin, app: TheApp, repeats: Repeats) -> Response:
    """Create a schedule. Each time that is due has its effect once; times at which no worker ran are made up for by
    one. Example: `{"name": "nightly", "collection": "handbook", "task": "refresh", "cron": "0 3 * * *"}`.
    """
    timetable = Timetable(body.cron, body.every_s, body.timezone)

    async def act(connection: Connection) -> Answer:
        collection_id = await find_collection(connection, caller.scope, body.collection)
        made = await create_schedule(
            connection, caller.scope, name_in_addresses(body.name), collection_id, f"{body.task}.requested",
            _data(body), timetable,
        )  # fmt: skip
        await _record(connection, caller, "created", made, task=body.task, collection_id=collection_id)
        return Answer(201, as_json(made), {"Location": f"/v1/schedules/{made.schedule_id}"})

    return await repeats.reply(app, caller.scope, act)


@router.get("", response_model=Listing[Schedule], summary="List the schedules")
async def listing(caller: AsAdmin, app: TheApp) -> Response:
    """List schedules by name, with when each is due next."""
    async with app.database.transaction(caller.scope) as connection:
        found = await list_schedules(connection, caller.scope.collections)
    return reply({"items": found, "next_cursor": None})


@router.get("/{schedule}", response_model=Schedule, responses=problems(404), summary="Show one schedule")
async def show(schedule: TheSchedule, caller: AsAdmin, app: TheApp) -> Response:
    """Show one schedule."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await get_schedule(connection, schedule, caller.scope.collections))


@router.patch(
    "/{schedule}", response_model=Schedule, responses=problems(404), summary="Switch a schedule on or off"
)
async def change(schedule: TheSchedule, body: Change, caller: AsAdmin, app: TheApp) -> Response:
    """Switch a schedule on or off. What it missed while it was off is not made up for."""
    async with app.database.transaction(caller.scope) as connection:
        changed = await enable_schedule(connection, schedule, caller.scope.collections, body.enabled)
        await _record(connection, caller, "changed", changed, enabled=body.enabled)
    return reply(changed)


@router.post(
    "/{schedule}/runs",
    status_code=202,
    response_model=Job,
    responses=problems(404, 409),
    summary="Run a schedule now",
)
async def run(schedule: TheSchedule, caller: AsAdmin, app: TheApp, repeats: Repeats) -> Response:
    """Ask for its work at once, whether it is enabled or not; when it is due next does not change."""

    async def act(connection: Connection) -> Answer:
        job_id: UUID = await run_schedule(connection, schedule, caller.scope.collections)
        job = await get_job(connection, job_id)
        found = await get_schedule(connection, schedule, caller.scope.collections)
        await _record(connection, caller, "run", found, job_id=job_id)
        return Answer(202, as_json(job), {"Location": f"/v1/jobs/{job_id}"})

    return await repeats.reply(app, caller.scope, act)


@router.delete("/{schedule}", status_code=204, responses=problems(404), summary="Delete a schedule")
async def delete(schedule: TheSchedule, caller: AsAdmin, app: TheApp) -> Response:
    """Delete a schedule. What it has asked for already goes on."""
    async with app.database.transaction(caller.scope) as connection:
        found = await get_schedule(connection, schedule, caller.scope.collections)
        await delete_schedule(connection, schedule, caller.scope.collections)
        await _record(connection, caller, "deleted", found)
    return Response(status_code=204)


async def _record(
    connection: Connection, caller: Principal, done: str, schedule: Schedule, **detail: Any
) -> None:
    told = {"name": schedule.name, **detail}
    await record(connection, caller.scope, f"schedule.{done}", f"schedule:{schedule.schedule_id}", told)


def _data(body: NewSchedule) -> dict[str, Any]:
    """The event's data. Raises Invalid when older_than_days is missing, or not meant."""
    if (body.task == "retention") is (body.older_than_days is None):
        raise Invalid("older_than_days is for the task retention, which needs it.")
    return {} if body.older_than_days is None else {"older_than_days": body.older_than_days}
