"""Switches: a collection's change to another profile and index, in one step, and back."""

from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from knowlog.api.collections import ProfileBody
from knowlog.api.dependencies import AsAdmin, CollectionName, Route, TheApp, as_json, reply
from knowlog.api.model import Body, problems
from knowlog.api.repeating import Repeats
from knowlog.database import Connection
from knowlog.documents import Profile, get_collection
from knowlog.edge import Answer
from knowlog.ingestion import Switch, ask_switch, get_switch, roll_back
from knowlog.tenants import Principal, record

router = APIRouter(prefix="/v1", tags=["collections"], route_class=Route, responses=problems())


class NewSwitch(Body):
    """The profile to switch to. What is left out has its default."""

    profile: ProfileBody
    profile_version: int | None = Field(
        None, ge=1, description="Version of the profile that it shall replace. Default: the present one."
    )


@router.post(
    "/collections/{collection}/switches",
    status_code=202,
    response_model=Switch,
    responses=problems(404, 409),
    summary="Switch to another profile",
)
async def switch(
    collection: CollectionName, body: NewSwitch, caller: AsAdmin, app: TheApp, repeats: Repeats
) -> Response:
    """Have a worker build an index by another profile beside the one that answers, and then switch in one transaction.

    Until then every question is answered by the old profile and index, afterwards by the new ones. The old index is kept
    for a while to roll back to. Changing the profile itself (`PATCH`) cuts documents one after the other instead.
    """
    profile = await app.completed_profile(caller.scope, Profile(**body.profile.model_dump()))

    async def act(connection: Connection) -> Answer:
        found = await get_collection(connection, caller.scope, collection)
        version = body.profile_version or found.profile_version
        asked = await ask_switch(connection, caller.scope, found.collection_id, profile, version)
        return await accepted(connection, caller, "collection.switch_asked", asked)

    return await repeats.reply(app, caller.scope, act)


@router.post(
    "/collections/{collection}/rollback",
    status_code=202,
    response_model=Switch,
    responses=problems(404, 409),
    summary="Roll the last switch back",
)
async def rollback(collection: CollectionName, caller: AsAdmin, app: TheApp, repeats: Repeats) -> Response:
    """Switch back to the profile and index before the last switch, while that index is kept (`kept_until`).

    A worker first adds what came since; nothing else needs to be embedded. A second one takes the first back.
    """

    async def act(connection: Connection) -> Answer:
        asked = await roll_back(connection, caller.scope, collection)
        return await accepted(connection, caller, "collection.rollback_asked", asked)

    return await repeats.reply(app, caller.scope, act)


@router.get(
    "/switches/{switch_id:uuid}", response_model=Switch, responses=problems(404), summary="Show a switch"
)
async def show(switch_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Show a switch: its state, and how many documents are in the new index. It is cancelled as its job is."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await get_switch(connection, caller.scope, switch_id))


async def accepted(connection: Connection, caller: Principal, action: str, asked: Switch) -> Answer:
    """Record that a switch was asked for, and answer with it."""
    told = {"switch_id": asked.switch_id, "name": asked.collection}
    await record(connection, caller.scope, action, f"collection:{asked.collection_id}", told)
    return Answer(202, as_json(asked), {"Location": f"/v1/switches/{asked.switch_id}"})
