"""Groups of a tenant's members."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import Field

from knowlog.api.dependencies import NO_NUL, AsAdmin, AsReader, Cursor, Limit, Route, TheApp, as_json, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.api.paging import page_of
from knowlog.api.repeating import Repeats
from knowlog.database import Connection
from knowlog.edge import Answer, decode_cursor
from knowlog.tenants import (
    Group,
    add_to_group,
    create_group,
    delete_group,
    get_group,
    list_groups,
    remove_from_group,
    rename_group,
    require_whole_tenant,
)

router = APIRouter(prefix="/v1/groups", tags=["groups"], route_class=Route, responses=problems())

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["service"]), NO_NUL]
TheGroup = Annotated[str, Path(description="Name or id of a group.", max_length=200), NO_NUL]


class NewGroup(Body):
    """A group to create, or its new name."""

    name: Name


class Joining(Body):
    """Members who join a group."""

    members: list[UUID] = Field(min_length=1, max_length=1000, description="Ids of members.")


@router.post("", status_code=201, response_model=Group, responses=problems(409), summary="Create a group")
async def create(body: NewGroup, caller: AsAdmin, app: TheApp, repeats: Repeats) -> Response:
    """Create a group without members. Example: `{"name": "service"}`."""

    async def act(connection: Connection) -> Answer:
        made = await create_group(connection, caller, body.name)
        return Answer(201, as_json(made), {"Location": f"/v1/groups/{made.group_id}"})

    return await repeats.reply(app, caller.scope, act)


@router.get("", response_model=Listing[Group], summary="List the tenant's groups")
async def listing(caller: AsReader, app: TheApp, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """List groups by name. `GET /v1/members?group=NAME` lists who is in one."""
    require_whole_tenant(caller)
    after: Any = decode_cursor(cursor, str)
    async with app.database.transaction(caller.scope) as connection:
        found = await list_groups(connection, after and after[0], limit + 1)
    return page_of(found, limit, lambda each: (each.name,))


@router.get("/{group}", response_model=Group, responses=problems(404), summary="Show one group")
async def show(group: TheGroup, caller: AsReader, app: TheApp) -> Response:
    """Show one group."""
    require_whole_tenant(caller)
    async with app.database.transaction(caller.scope) as connection:
        return reply(await get_group(connection, group))


@router.patch("/{group}", response_model=Group, responses=problems(404, 409), summary="Rename a group")
async def rename(group: TheGroup, body: NewGroup, caller: AsAdmin, app: TheApp) -> Response:
    """Give a group another name."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await rename_group(connection, caller, group, body.name))


@router.delete("/{group}", response_model=Group, responses=problems(404), summary="Delete a group")
async def delete(group: TheGroup, caller: AsAdmin, app: TheApp) -> Response:
    """Delete a group. What it was allowed to see is closed to its members from their next call on."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await delete_group(connection, caller, group))


@router.post(
    "/{group}/members", response_model=Group, responses=problems(404), summary="Let members join a group"
)
async def join(group: TheGroup, body: Joining, caller: AsAdmin, app: TheApp) -> Response:
    """Let members join; those who are in the group already stay. All of them, or none where one is not there."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await add_to_group(connection, caller, group, body.members))


@router.delete(
    "/{group}/members/{member_id}",
    response_model=Group,
    responses=problems(404),
    summary="Take a member out",
)
async def leave(group: TheGroup, member_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Take a member out of a group, which holds from their next call on, and in streams that they have open."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await remove_from_group(connection, caller, group, [member_id]))
