"""Invitations to become a member."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from knowlog.api.dependencies import AsAdmin, Route, TheApp, as_json, reply
from knowlog.api.members import Email, Name
from knowlog.api.model import Body, Listing, problems
from knowlog.api.passwords import Link
from knowlog.api.repeating import Repeats
from knowlog.api.sessions import HAS_LINK
from knowlog.database import Connection
from knowlog.edge import Answer, check_hints, origin_of_request, visit_of
from knowlog.tenants import (
    Invitation,
    Member,
    Offer,
    Role,
    accept_invitation,
    get_invitation,
    invite,
    list_invitations,
    read_invitation,
    require_whole_tenant,
    tenant_of_token,
    withdraw_invitation,
)

router = APIRouter(prefix="/v1", tags=["members"], route_class=Route, responses=problems())


class NewInvitation(Body):
    """Somebody to invite. The role may not be above your own."""

    email: Email
    role: Role = "reader"


class Reading(Body):
    """The token of a link."""

    token: Link


class Acceptance(Body):
    """The token of a link, and a password: the one that they have here, or a new one."""

    token: Link
    password: Annotated[str, Field(min_length=1, max_length=1024)]
    name: Name | None = Field(None, description="What they are called; without it, the address up to the @.")


@router.post(
    "/invitations",
    status_code=201,
    response_model=Invitation,
    responses=problems(409),
    summary="Invite a person",
)
async def create(body: NewInvitation, caller: AsAdmin, app: TheApp, repeats: Repeats) -> Response:
    """Invite the owner of an e-mail address. The link is mailed to them and shown to nobody else; it is good once, for
    days, and for this address and role alone. An earlier invitation to the same address is withdrawn.
    Example: `{"email": "bob@example.com", "role": "editor"}`.
    """

    async def act(connection: Connection) -> Answer:
        made = await invite(connection, caller, body.email, body.role, app.settings.people)
        return Answer(201, as_json(made), {"Location": f"/v1/invitations/{made.invitation_id}"})

    return await repeats.reply(app, caller.scope, act)


@router.get("/invitations", response_model=Listing[Invitation], summary="List the open invitations")
async def listing(caller: AsAdmin, app: TheApp) -> Response:
    """List invitations that can be accepted, newest first, with whether their mail was sent."""
    require_whole_tenant(caller)
    async with app.database.transaction(caller.scope) as connection:
        return reply({"items": await list_invitations(connection), "next_cursor": None})


@router.get(
    "/invitations/{invitation_id}",
    response_model=Invitation,
    responses=problems(404),
    summary="Show one invitation",
)
async def show(invitation_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Show one invitation; never its link."""
    require_whole_tenant(caller)
    async with app.database.transaction(caller.scope) as connection:
        return reply(await get_invitation(connection, invitation_id))


@router.delete(
    "/invitations/{invitation_id}",
    response_model=Invitation,
    responses=problems(404),
    summary="Withdraw an invitation",
)
async def withdraw(invitation_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Let nobody accept an invitation any more."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await withdraw_invitation(connection, caller, invitation_id))


@router.post(
    "/invitations:read",
    dependencies=[HAS_LINK],
    response_model=Offer,
    responses=problems(404),
    summary="Read an invitation's link",
)
async def read(body: Reading, request: Request, app: TheApp) -> Response:
    """Say what a link invites to, for who has it. Nothing changes."""
    await _check_hints(request, body.token)
    return reply(await read_invitation(app.database, body.token, origin_of_request(request)))


@router.post(
    "/invitations:accept",
    dependencies=[HAS_LINK],
    status_code=201,
    response_model=Member,
    responses=problems(404),
    summary="Accept an invitation",
)
async def accept(body: Acceptance, request: Request, app: TheApp) -> Response:
    """Become a member, with the link from the mail. Sign in afterwards with the address and the password."""
    await _check_hints(request, body.token)
    member = await accept_invitation(
        app.database, app.settings.people, body.token, body.password, body.name, origin_of_request(request)
    )
    return reply(member, 201)


async def _check_hints(request: Request, token: str) -> None:
    """Raise WrongTenant for a link of another tenant than the address names."""
    await check_hints(request.app.state.database, visit_of(request.scope).hints, tenant_of_token(token))
