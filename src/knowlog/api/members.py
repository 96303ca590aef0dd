"""Members of a tenant: people with a role."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from knowlog.api.dependencies import NO_NUL, AsAdmin, AsReader, Cursor, Limit, Route, TheApp, as_json, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.api.paging import page_of
from knowlog.api.repeating import Repeats
from knowlog.database import Connection
from knowlog.edge import Answer, decode_cursor
from knowlog.tenants import (
    Member,
    Principal,
    Role,
    add_member,
    change_member,
    disable_member,
    enable_member,
    get_group,
    get_member,
    list_members,
    remove_member,
    require_whole_tenant,
)

router = APIRouter(prefix="/v1/members", tags=["members"], route_class=Route, responses=problems())

Email = Annotated[str, Field(min_length=3, max_length=254, examples=["bob@example.com"]), NO_NUL]
Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Bob Hale"]), NO_NUL]
GroupName = Annotated[
    str | None, Query(description="Only those in this group, by its name or id.", max_length=200)
]


class NewMember(Body):
    """A member to add. The role may not be above your own."""

    email: Email
    role: Role = "reader"
    name: Name | None = Field(None, description="What they are called; without it, the address up to the @.")


class Change(Body):
    """What is to change about a member; what is not given stays as it is."""

    role: Role | None = None
    name: Name | None = None
    enabled: bool | None = Field(None, description="False: opens nothing any more, and keeps its groups.")


@router.post("", status_code=201, response_model=Member, responses=problems(409), summary="Add a member")
async def add(body: NewMember, caller: AsAdmin, app: TheApp, repeats: Repeats) -> Response:
    """Make somebody a member at once, without asking them: for who signs in by single sign-on, or has a password here.

    Others are better invited. Example: `{"email": "bob@example.com", "role": "reader"}`.
    """

    async def act(connection: Connection) -> Answer:
        member = await add_member(connection, caller, body.email, body.role, body.name)
        return Answer(201, as_json(member), {"Location": f"/v1/members/{member.member_id}"})

    return await repeats.reply(app, caller.scope, act)


@router.get("", response_model=Listing[Member], responses=problems(404), summary="List the tenant's members")
async def listing(
    caller: AsReader, app: TheApp, group: GroupName = None, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """List members in the order in which they came, with their roles and groups: colleagues know each other."""
    require_whole_tenant(caller)
    after: Any = decode_cursor(cursor, UUID)
    async with app.database.transaction(caller.scope) as connection:
        group_id = None if group is None else (await get_group(connection, group)).group_id
        found = await list_members(connection, after and after[0], limit + 1, group_id)
    return page_of(found, limit, lambda each: (each.member_id,))


@router.get("/{member_id}", response_model=Member, responses=problems(404), summary="Show one member")
async def show(member_id: UUID, caller: AsReader, app: TheApp) -> Response:
    """Show one member, with their groups."""
    require_whole_tenant(caller)
    async with app.database.transaction(caller.scope) as connection:
        return reply(await get_member(connection, member_id))


@router.patch("/{member_id}", response_model=Member, responses=problems(404, 409), summary="Change a member")
async def change(member_id: UUID, body: Change, caller: AsAdmin, app: TheApp) -> Response:
    """Give a member another role or name, disable or enable them. It holds from their next call on, and in the event
    streams that they have open. The last owner stays one. Example: `{"role": "editor"}`.
    """
    async with app.database.transaction(caller.scope) as connection:
        return reply(await _changed(connection, caller, member_id, body))


@router.delete("/{member_id}", response_model=Member, responses=problems(404, 409), summary="Remove a member")
async def remove(member_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Remove a member from the tenant and its groups, and end their sessions here. Keys that they made stay."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await remove_member(connection, caller, member_id))


async def _changed(connection: Connection, caller: Principal, member_id: UUID, body: Change) -> Member:
    member = await change_member(connection, caller, member_id, body.role, body.name)
    if body.enabled is None:
        return member
    switch = enable_member if body.enabled else disable_member
    return await switch(connection, caller, member_id)
