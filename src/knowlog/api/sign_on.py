"""Single sign-on: the OpenID providers by which members of a tenant sign in to it, and the way through them."""

from dataclasses import asdict
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field, SecretStr

from knowlog.api.dependencies import NO_NUL, AsAdmin, AsOwner, Route, TheApp, as_json, open_to_all, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.api.repeating import Repeats
from knowlog.api.sessions import Tokens, device_of
from knowlog.api.web import wants_page
from knowlog.database import Connection
from knowlog.edge import Answer, Cookies, check_hints, new_browser, origin_of_request, visit_of
from knowlog.kernel.errors import KnowlogError, NotFound, Unavailable
from knowlog.tenants import (
    ATTEMPT_LIFE,
    SIGN_ON_NAME,
    BadLogoutToken,
    LoggingOut,
    Look,
    Principal,
    Returned,
    SigningOn,
    SignOn,
    SignOnFailed,
    Wanted,
    Way,
    add_sign_on,
    change_sign_on,
    get_sign_on,
    list_sign_ons,
    remove_sign_on,
    require_whole_tenant,
)

router = APIRouter(prefix="/v1/sign-on", tags=["sign-on"], route_class=Route, responses=problems())

Name = Annotated[str, Path(pattern=SIGN_ON_NAME, description="Name of the sign-on, such as company.")]
Value = Annotated[str, Field(min_length=1, max_length=200), NO_NUL]
Given = Literal["reader", "editor", "admin"]
OwnPath = Annotated[
    str | None,
    Query(
        pattern=r"^/([\x21-\x2e\x30-\x5b\x5d-\x7e][\x21-\x5b\x5d-\x7e]*)?$",
        max_length=500,
        description="Path of this server to go on to, with the session in cookies. Without it the session is answered.",
    ),
]
# The four together have to fit into the longest address that is taken (8,192 bytes).
Code = Annotated[str, Query(max_length=4096)]
FromProvider = Annotated[str, Query(max_length=1024)]
_COMES_BACK: dict[int | str, dict[str, Any]] = {303: {"description": "On to the address in `Location`."}}
_LOGOUT_FORM = {
    "required": True,
    "content": {
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "required": ["logout_token"],
                "properties": {"logout_token": {"type": "string", "maxLength": 66000}},
            }
        }
    },
}
ANYBODY = open_to_all(
    "Whoever signs in is nobody yet; what comes back is good once, in the browser that began."
)


class Terms(Body):
    """What can be changed of a sign-on; what is not given stays as it is."""

    client_id: Annotated[str, Field(min_length=1, max_length=500), NO_NUL] | None = None
    client_secret: SecretStr | None = Field(
        None, min_length=1, max_length=4000, description="Kept encrypted; it cannot be read back."
    )
    scopes: list[Annotated[str, Field(min_length=1, max_length=100)]] | None = Field(
        None, max_length=20, description="What is asked of the provider; openid always is."
    )
    domains: list[Annotated[str, Field(min_length=4, max_length=253)]] | None = Field(
        None, min_length=1, max_length=50, description="E-mail domains that the provider speaks for."
    )
    trusts_emails: bool | None = Field(
        None,
        description="Take addresses of which the provider does not say whether they are verified (Entra ID).",
    )
    creates_members: bool | None = Field(None, description="False: who is no member yet is not let in.")
    default_role: Given | Literal["none"] | None = Field(
        None, description="Role of who is in no group that `roles` names; none: they are not let in."
    )
    roles: dict[Value, Given] | None = Field(
        None, max_length=500, description="Group at the provider -> role here. It holds anew at each sign-in."
    )
    groups_claim: Value | None = Field(
        None, description="Claim that lists the groups: a name, or a path with dots."
    )
    groups: dict[Value, Value] | None = Field(
        None,
        max_length=500,
        description="Group at the provider -> group here, which the sign-on alone fills.",
    )
    session_hours: int | None = Field(None, ge=1, le=720, description="Sessions end after so many hours.")


class NewSignOn(Terms):
    """A sign-on to add."""

    name: str = Field(pattern=SIGN_ON_NAME, examples=["company"])
    issuer: Annotated[
        str, Field(min_length=8, max_length=500, examples=["https://login.example.com"]), NO_NUL
    ]


class Change(Terms):
    """What is to change about a sign-on."""

    enforced: bool | None = Field(None, description="True: nobody signs in to the tenant with a password.")


class Shown(BaseModel):
    """A sign-on, with the addresses to register at the provider (`logout_uri` for back-channel logout, where it has that)
    and the one at which people begin.
    """

    sign_on: SignOn
    redirect_uri: str
    logout_uri: str
    start: str


async def signing_on(request: Request) -> SigningOn:
    """Return what this server signs people in by providers with."""
    found: SigningOn = request.app.state.signing_on
    return found


TheSigningOn = Annotated[SigningOn, Depends(signing_on)]


@router.post("", status_code=201, response_model=Shown, responses=problems(409), summary="Add a sign-on")
async def add(body: NewSignOn, request: Request, caller: AsOwner, app: TheApp, repeats: Repeats) -> Response:
    """Add an OpenID provider by which members sign in to this tenant. Register the `redirect_uri` that is answered there.

    Example: `{"name": "company", "issuer": "https://login.example.com", "client_id": "knowlog", "client_secret": "...",
    "domains": ["example.com"]}`.
    """
    request.app.state.line.check(body.issuer)

    async def act(connection: Connection) -> Answer:
        made = await add_sign_on(connection, caller, app.vault, body.name, body.issuer, _wanted(body))
        return Answer(201, _shown(request, caller, made), {"Location": f"/v1/sign-on/{made.name}"})

    return await repeats.reply(app, caller.scope, act)


@router.get("", response_model=Listing[SignOn], summary="List the tenant's sign-ons")
async def listing(caller: AsAdmin, app: TheApp) -> Response:
    """List the tenant's sign-ons. There is one page."""
    require_whole_tenant(caller)
    async with app.database.transaction(caller.scope) as connection:
        return reply({"items": await list_sign_ons(connection), "next_cursor": None})


@router.get("/{name}", response_model=Shown, responses=problems(404), summary="Show one sign-on")
async def show(name: Name, request: Request, caller: AsAdmin, app: TheApp) -> Response:
    """Show one sign-on, and the two addresses that belong to it."""
    require_whole_tenant(caller)
    async with app.database.transaction(caller.scope) as connection:
        return reply(_shown(request, caller, await get_sign_on(connection, name)))


@router.patch("/{name}", response_model=Shown, responses=problems(404, 409), summary="Change a sign-on")
async def change(name: Name, body: Change, request: Request, caller: AsOwner, app: TheApp) -> Response:
    """Change a sign-on. `{"enforced": true}` ends every session that was opened with a password, yours too, and lets
    nobody open another; an owner's API key, or one that the operator issues, takes it back with `{"enforced": false}`.
    """
    async with app.database.transaction(caller.scope) as connection:
        changed = await change_sign_on(connection, caller, app.vault, name, _wanted(body))
    return reply(_shown(request, caller, changed))


@router.delete("/{name}", response_model=SignOn, responses=problems(404), summary="Remove a sign-on")
async def remove(name: Name, request: Request, caller: AsOwner, app: TheApp) -> Response:
    """Remove a sign-on. Sessions of who came by it end at once; members and groups stay."""
    async with app.database.transaction(caller.scope) as connection:
        gone = await remove_sign_on(connection, caller, name)
    people: SigningOn = request.app.state.signing_on
    people.providers.forget((caller.scope.tenant_id, name))
    return reply(gone)


@router.post(
    "/{name}/provider/check", response_model=Look, responses=problems(404), summary="Try a sign-on's provider"
)
async def check(name: Name, caller: AsAdmin, people: TheSigningOn) -> Response:
    """Ask the provider about itself and its keys, and try whether the secret opens. `problem` says what is wrong."""
    require_whole_tenant(caller)
    return reply(await people.look(caller.scope.tenant_id, name))


@router.get(
    "/{tenant_id}/{name}",
    status_code=303,
    response_class=Response,
    responses={**_COMES_BACK, **problems(404)},
    dependencies=[ANYBODY],
    summary="Begin to sign in",
)
async def begin(
    tenant_id: UUID, name: Name, request: Request, people: TheSigningOn, return_to: OwnPath = None
) -> Response:
    """Where a person's browser goes to sign in: it is led to the provider, and comes back to `callback` within ten
    minutes. With `return_to`, a path of this server, the session then comes in cookies and the browser goes on there.
    A browser that was sent here is told in the page why it came to nothing.
    """
    way = await _way(request, tenant_id, name)
    try:
        answer = _on_to(await people.begin(way, return_to, origin_of_request(request)))
    except NotFound as failure:
        return _refused(request, failure, "unknown")
    except SignOnFailed as failure:
        return _refused(request, failure, failure.result)
    _cookies(request).know_browser(answer, way.browser, int(ATTEMPT_LIFE.total_seconds()))
    return answer


@router.get(
    "/{tenant_id}/{name}/callback",
    response_model=Tokens,
    responses={**_COMES_BACK, **problems(404)},
    dependencies=[ANYBODY],
    summary="Come back from the provider",
)
async def callback(
    tenant_id: UUID,
    name: Name,
    request: Request,
    people: TheSigningOn,
    state: FromProvider = "",
    code: Code | None = None,
    error: FromProvider | None = None,
    iss: FromProvider | None = None,
) -> Response:
    """Where the provider leads the browser back to. Opens a session in this tenant alone: in cookies where the sign-in
    was begun with `return_to`, else its tokens are the answer.
    """
    way = await _way(request, tenant_id, name)
    returned = Returned(state, code, error, iss)
    try:
        opened, return_to = await people.finish(way, returned, device_of(request))
    except SignOnFailed as failure:
        request.app.state.metrics.signed_on(failure.result)
        return _refused(request, failure, failure.result)
    request.app.state.metrics.signed_on("opened")
    if return_to is None:
        return reply(asdict(opened))
    answer = _on_to(return_to)
    _cookies(request).give(answer, opened)
    return answer


@router.post(
    "/{tenant_id}/{name}/logout",
    responses=problems(400, 404),
    response_class=Response,
    dependencies=[
        open_to_all("The provider itself calls, and shows a token that it has signed for this client.")
    ],
    openapi_extra={"requestBody": _LOGOUT_FORM},
    summary="Hear of a sign-out",
)
async def logout(tenant_id: UUID, name: Name, request: Request) -> Response:
    """Where the provider tells that somebody has signed out there (OpenID Connect Back-Channel Logout 1.0): the sessions
    that it has opened for them here end at once.
    """
    state = request.app.state
    await check_hints(state.database, visit_of(request.scope).hints, tenant_id)
    hearing: LoggingOut = state.logging_out
    try:
        await hearing.hear(tenant_id, name, _logout_token(await request.body()))
    except BadLogoutToken:
        state.metrics.signed_out("refused")
        raise
    state.metrics.signed_out("heard")
    return Response(headers={"Cache-Control": "no-store"})


def _logout_token(form: bytes) -> str:
    """The token of a form. Raises BadLogoutToken."""
    try:
        (token,) = parse_qs(form.decode("ascii"), max_num_fields=20).get("logout_token", [])
    except ValueError as error:
        raise BadLogoutToken("Send a form with one logout_token, as OpenID providers do.") from error
    return token


async def _way(request: Request, tenant_id: UUID, name: str) -> Way:
    """The way through a provider in this browser. Raises WrongTenant where the address names another tenant."""
    visit = visit_of(request.scope)
    await check_hints(request.app.state.database, visit.hints, tenant_id)
    browser = _cookies(request).browser(request) or new_browser()
    return Way(tenant_id, name, browser, f"{_start(request, tenant_id, name)}/callback")


def _start(request: Request, tenant_id: UUID, name: str) -> str:
    """The address at which people begin: on the tenant's own host where that was called, else at the public address.

    Raises Unavailable where nobody knows that: the Host header alone is not believed, but on a developer's machine.
    """
    settings, visit = request.app.state.settings, visit_of(request.scope)
    host = visit.host.partition(":")[0].lower()
    own = {
        f"{hint.name}.{settings.base_domain}" if hint.kind == "slug" else hint.name for hint in visit.hints
    }
    if host not in own and settings.public_url:
        home = settings.public_url.rstrip("/")
    elif host in own or settings.development:
        home = f"{request.scope['scheme']}://{visit.host}"
    else:
        raise Unavailable(
            "Single sign-on needs the server's address: its operator sets KNOWLOG_API_PUBLIC_URL."
        )
    return f"{home}/v1/sign-on/{tenant_id}/{name}"


def _shown(request: Request, caller: Principal, found: SignOn) -> dict[str, Any]:
    start = _start(request, caller.scope.tenant_id, found.name)
    addresses = {"redirect_uri": f"{start}/callback", "logout_uri": f"{start}/logout", "start": start}
    return {"sign_on": as_json(found), **addresses}


def _wanted(body: Terms) -> Wanted:
    """What the body tells; the rest stays as it is."""
    told = body.model_dump(exclude={"name", "issuer", "client_secret"}, exclude_none=True)
    told |= {each: tuple(told[each]) for each in ("scopes", "domains") if each in told}
    secret = body.client_secret.get_secret_value() if body.client_secret else None
    return Wanted(**told, client_secret=secret)


def _refused(request: Request, failure: KnowlogError, why: str) -> Response:
    """Where a browser goes that came for a page, which has the words for each reason. Programs are told the failure."""
    if not wants_page(request):
        raise failure
    return _on_to(f"/?sign_on={why}")


def _on_to(address: str) -> Response:
    return Response(status_code=303, headers={"Location": address})


def _cookies(request: Request) -> Cookies:
    cookies: Cookies = request.app.state.cookies
    return cookies
