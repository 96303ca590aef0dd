"""Sessions of people: signing in and out, and going from one tenant to another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from knowlog.api.dependencies import AS_OPERATOR, NO_NUL, AsReader, Route, TheApp, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.edge import Cookies, Open, check_hints, check_named, hinted_tenant, origin_of_request, visit_of
from knowlog.kernel.errors import Forbidden, Unauthenticated
from knowlog.tenants import (
    Credentials,
    Device,
    Member,
    Membership,
    Opened,
    Session,
    Sessions,
    SigningIn,
    csrf_of_refresh_token,
    drop_signing_keys,
    end_all_sessions,
    end_session,
    get_member,
    list_sessions,
    memberships,
    own_member,
    person_of_caller,
    tenant_of_token,
)

router = APIRouter(prefix="/v1", tags=["sessions"], route_class=Route, responses=problems())

Secret = Annotated[str, Field(min_length=1, max_length=1024)]
_NONE = UUID(int=0)
EVEN_S = 0.25
"""What could tell by its time whether an address is known takes so long at least."""


async def signing_in(request: Request) -> SigningIn:
    """Return what this server signs people in with."""
    found: SigningIn = request.app.state.signing_in
    return found


async def opener(request: Request) -> Sessions:
    """Return what this server opens sessions with."""
    found: Sessions = request.app.state.sessions
    return found


TheSigningIn = Annotated[SigningIn, Depends(signing_in)]
SIGNS_IN = Depends(
    Open("Whoever signs in is nobody yet; wrong passwords are counted by address and by person.")
)
HAS_LINK = Depends(
    Open("Whoever has the secret of a mailed link, or asks for one, is nobody yet; both are counted.")
)
TheSessions = Annotated[Sessions, Depends(opener)]


class SignIn(Body):
    """What somebody signs in with."""

    email: Annotated[str, Field(max_length=254, examples=["bob@example.com"]), NO_NUL]
    password: Secret
    code: Annotated[str, Field(max_length=40)] | None = Field(
        None, description="Code of the second factor, or a recovery code, where one is in force."
    )
    tenant_id: UUID | None = Field(None, description="Where to; without it, to the tenant they were in last.")
    cookies: bool = Field(False, description="For browsers: the tokens come in cookies that no script reads.")


class Renewal(Body):
    """A refresh token to renew a session with; a browser has it in its cookies."""

    refresh_token: Annotated[str, Field(max_length=200)] | None = None


class Switch(Body):
    """The tenant to go to."""

    tenant_id: UUID
    cookies: bool = Field(False, description="For browsers: the tokens come in cookies that no script reads.")


class Tokens(BaseModel):
    """An open session. The tokens are null where they came in cookies; they cannot be read again."""

    tenant_id: UUID
    member_id: UUID
    session_id: UUID
    access_token: str | None = Field(description="For `Authorization: Bearer`.")
    expires_in_s: int = Field(description="So long the access token is good, unless the session ends before.")
    refresh_token: str | None = Field(description="Good once, for new tokens: POST /v1/sessions:refresh.")
    csrf_token: str = Field(description="For the header X-CSRF-Token of requests with cookies.")


class SignedIn(Tokens):
    """An open session, and every tenant that the person is a member of."""

    memberships: list[Membership]


class Present(BaseModel):
    """Who is calling. `memberships` is null in a session that a tenant's sign-on has opened."""

    member: Member
    session_id: UUID
    memberships: list[Membership] | None


@router.post(
    "/sessions",
    status_code=201,
    response_model=SignedIn,
    dependencies=[SIGNS_IN],
    summary="Sign in with a password",
)
async def sign_in(body: SignIn, request: Request, people: TheSigningIn) -> Response:
    """Open a session. The access token is good for minutes and for one tenant; the refresh token gets new ones.

    Answers 401 in the same words, and after the same time, for an unknown address and a wrong password; with the code
    `code-needed` where the password is right and a code of the second factor is missing.
    Example: `{"email": "bob@example.com", "password": "correct horse battery staple"}`.
    """
    offered = Credentials(body.email, body.password, body.code)
    wanted = await _wanted(request, body)
    opened, found = await people.sign_in(offered, device_of(request), origin_of_request(request), wanted)
    more = {"memberships": [asdict(each) for each in found]}
    return _answer(request, opened, 201, cookies=body.cookies, more=more)


@router.post(
    "/sessions:refresh",
    response_model=Tokens,
    dependencies=[SIGNS_IN],
    responses=problems(409),
    summary="Renew a session's tokens",
)
async def refresh(request: Request, sessions: TheSessions, body: Renewal | None = None) -> Response:
    """Give new tokens for a refresh token, which is used up. One that is offered a second time was copied by somebody,
    and ends the session; within ten seconds it is another tab of the same browser, which is answered 409 and goes on
    with the tokens that the first one got.
    """
    cookies: Cookies = request.app.state.cookies
    token = body.refresh_token if body is not None else None
    kept = None if token else cookies.refresh_token(request)
    if kept:
        check_named(request, csrf_of_refresh_token(kept))
    offered = token or kept
    if not offered:
        raise Unauthenticated("This needs a refresh token, as `refresh_token` or in the browser's cookies.")
    await check_hints(request.app.state.database, visit_of(request.scope).hints, tenant_of_token(offered))
    try:
        return _answer(request, await sessions.refresh(offered), 200, cookies=kept is not None)
    except Unauthenticated as error:
        if error.extra.pop("reused", False):
            request.app.state.metrics.token_reused()
        raise


@router.post(
    "/sessions:switch",
    status_code=201,
    response_model=Tokens,
    responses=problems(404),
    summary="Go to another tenant",
)
async def switch(body: Switch, request: Request, caller: AsReader, people: TheSigningIn) -> Response:
    """Open a session of the same person in another tenant of theirs. This one stays open: each is for one tenant."""
    opened = await people.switch(caller, body.tenant_id, device_of(request))
    return _answer(request, opened, 201, cookies=body.cookies)


@router.get("/sessions", response_model=Listing[Session], summary="List your own sessions")
async def listing(caller: AsReader, app: TheApp) -> Response:
    """List your open sessions in this tenant, the one used last first."""
    async with app.database.transaction(caller.scope) as connection:
        return reply({"items": await list_sessions(connection, caller), "next_cursor": None})


@router.get("/sessions/current", response_model=Present, summary="Show who is calling")
async def current(caller: AsReader, app: TheApp) -> Response:
    """Show the member whose session this is, and the tenants that the person can go to."""
    async with app.database.transaction(caller.scope) as connection:
        member = await get_member(connection, own_member(caller))
        person_id, method = await person_of_caller(connection, caller)
    place = await app.database.of(caller.scope.tenant_id)
    found = await memberships(place, person_id) if method == "password" else None
    return reply({"member": member, "session_id": caller.session_id, "memberships": found})


@router.delete("/sessions/current", status_code=204, summary="Sign out of this session")
async def sign_out_here(request: Request, caller: AsReader, app: TheApp) -> Response:
    """End the session that calls, at once, with the event streams it has open."""
    async with app.database.transaction(caller.scope) as connection:
        await end_session(connection, caller, caller.session_id or _NONE)
    return _goodbye(request, forget=True)


@router.delete(
    "/sessions/{session_id}", status_code=204, responses=problems(404), summary="Sign out of one session"
)
async def sign_out(session_id: UUID, request: Request, caller: AsReader, app: TheApp) -> Response:
    """End one of your sessions, at once, with the event streams it has open. `GET /v1/sessions` marks the current one."""
    async with app.database.transaction(caller.scope) as connection:
        await end_session(connection, caller, session_id)
    return _goodbye(request, forget=session_id == caller.session_id)


@router.delete("/sessions", status_code=204, summary="Sign out everywhere")
async def sign_out_everywhere(request: Request, caller: AsReader, app: TheApp) -> Response:
    """End all your sessions, at once: in every tenant, if you signed in with your password."""
    await end_all_sessions(app.database, caller)
    return _goodbye(request, forget=True)


@router.delete(
    "/signing-keys",
    status_code=204,
    dependencies=[AS_OPERATOR],
    summary="Take back all signing keys",
)
async def drop_keys(app: TheApp) -> Response:
    """Make every access token worthless at once, of all tenants, as after the theft of a key. Sessions go on with their
    refresh tokens, and a new key is made with the next token.
    """
    await drop_signing_keys(app.database)
    return Response(status_code=204)


@asynccontextmanager
async def even_time() -> AsyncIterator[None]:
    """Let what happens inside take the same time, whatever it finds."""
    until = asyncio.get_running_loop().time() + EVEN_S
    try:
        yield
    finally:
        await asyncio.sleep(until - asyncio.get_running_loop().time())


def _answer(
    request: Request, opened: Opened, status: int, *, cookies: bool, more: dict[str, Any] | None = None
) -> Response:
    """The tokens of a session, in the body or in cookies."""
    tokens = asdict(opened)
    if cookies:
        tokens |= {"access_token": None, "refresh_token": None}
    answer = reply({**tokens, **(more or {})}, status)
    if cookies:
        request.app.state.cookies.give(answer, opened)
    return answer


async def _wanted(request: Request, body: SignIn) -> UUID | None:
    """The tenant to sign in to: the one that the body or the address names. Raises WrongTenant where they disagree."""
    visit = visit_of(request.scope)
    if body.cookies and visit.origin is not None:
        raise Forbidden("Only a page of this server signs in with cookies. Send `cookies` as false.")
    if not visit.hints:
        return body.tenant_id
    named = body.tenant_id or await hinted_tenant(request.app.state.database, visit.hints)
    await check_hints(request.app.state.database, visit.hints, named)
    return named


def _goodbye(request: Request, *, forget: bool) -> Response:
    answer = Response(status_code=204)
    if forget and request.cookies:
        request.app.state.cookies.take_back(answer)
    return answer


def device_of(request: Request) -> Device:
    """What a session is opened with."""
    return Device(request.headers.get("user-agent", ""), request.client.host if request.client else "")
