"""Every route demands to know who is calling."""

from collections.abc import Iterator
from inspect import iscoroutinefunction

import pytest
from fastapi import APIRouter, Depends
from fastapi.dependencies.models import Dependant
from starlette.websockets import WebSocket

from knowlog.api.application import ROUTERS, scoped
from knowlog.api.dependencies import AsReader, Route
from knowlog.api.web import router as web
from knowlog.edge import Caller, Demand, Open, Operator, ScopedRoute

_PAPERS = {"/v1/events/asyncapi.json", "/v1/events/schemas/{type}/{version}"}
_DOORS = {
    "POST /v1/sessions", "POST /v1/sessions:refresh", "POST /v1/password-resets", "POST /v1/password-resets:use",
    "POST /v1/invitations:read", "POST /v1/invitations:accept",
    "GET /v1/sign-on/{tenant_id}/{name}", "GET /v1/sign-on/{tenant_id}/{name}/callback",
    "POST /v1/sign-on/{tenant_id}/{name}/logout",
}  # fmt: skip
"""Where somebody who is nobody yet shows a password or the secret of a link. Their attacks: test_api_sessions.py,
test_sign_on_attacks.py.
"""
_OWN = {
    "/v1/threads", "/v1/threads/{thread_id:uuid}",
    "/v1/answers/{answer_id}/feedback",
    "/v1/feedback/{feedback_id:uuid}",
    "/v1/summaries", "/v1/summaries/{summary_id:uuid}", "/v1/summaries/{summary_id:uuid}:renew",
    "/v1/sessions", "/v1/sessions/current", "/v1/sessions/{session_id}", "/v1/sessions:switch",
    "/v1/password", "/v1/second-factor", "/v1/second-factor:confirm", "/v1/second-factor:remove",
}  # fmt: skip
"""What people do with their own sessions, passwords, feedback, summaries and conversations, whatever their role."""
_UNKEYED = {
    "POST /v1/jobs:retry": "works in batches; sent again, it finds what has failed since",
    "POST /v1/tenants/{tenant_id:uuid}/move": "a tenant that is being moved is not moved again: 409, and GET shows it",
    "POST /v1/collections/{collection}/uploads": "the fingerprint in Upload-Metadata finds the one that was begun",
    "POST /v1/origins": "saying it twice changes nothing",
    "POST /v1/domains": "saying it twice changes nothing",
    "POST /v1/sessions:switch": "its tokens are shown once",
    "POST /v1/second-factor": "its secret is shown once, and the next takes its place",
}
"""What begins something without an Idempotency-Key, besides the doors, where nobody is known to whom it would belong."""
_WEB = {route.path for route in web.routes if isinstance(route, ScopedRoute)}
OPEN = {"/", "/health/live", "/health/ready", "/docs", "/docs/{asset}"} | _PAPERS | _WEB
"""What holds no tenant's data and answers anybody. FastAPI's own /openapi.json is not among our routers."""

ROUTES = [route for router in ROUTERS for route in router.routes]


def named(route: ScopedRoute) -> str:
    """Method and path."""
    return f"{min(route.methods)} {route.path}"


def demands(dependant: Dependant) -> Iterator[Demand]:
    """What a route's dependencies ask of the caller, at any depth."""
    for each in dependant.dependencies:
        if isinstance(each.call, Demand):
            yield each.call
        yield from demands(each)


def headers(dependant: Dependant) -> set[str]:
    """The headers that a route reads, at any depth."""
    return {each.alias for each in dependant.header_params}.union(*map(headers, dependant.dependencies))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{sorted(route.methods)[0]} {route.path}")
def test_every_route_knows_its_caller(route: ScopedRoute) -> None:
    """One principal a route, or a place in the list of open ones and a reason."""
    (found,) = demands(route.dependant)
    assert isinstance(found, Open) == (route.path in OPEN or named(route) in _DOORS)
    assert not isinstance(found, Open) or len(found.because) > 20


def test_a_route_that_forgets_its_caller_cannot_be_made() -> None:
    """The module that holds it does not import."""
    with pytest.raises(TypeError, match="makes 0 demands"):

        @APIRouter(route_class=Route).get("/v1/secrets")
        async def secrets() -> None: ...


def test_a_route_with_two_callers_cannot_be_made() -> None:
    """Which of the two would decide is nobody's guess."""
    with pytest.raises(TypeError, match="makes 2 demands"):

        @APIRouter(route_class=Route).get("/v1/secrets", dependencies=[Depends(Operator())])
        async def secrets(caller: AsReader) -> None: ...


def test_an_application_takes_no_other_kind_of_route() -> None:
    """Neither a socket nor a route that was made without the check."""
    plain, sockets = APIRouter(), APIRouter(route_class=Route)

    @plain.get("/v1/secrets")
    async def secrets(caller: AsReader) -> None: ...

    @sockets.websocket("/v1/live")
    async def live(socket: WebSocket) -> None: ...

    for router in (plain, sockets):
        with pytest.raises(TypeError, match="is no ScopedRoute"):
            list(scoped([router]))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{sorted(route.methods)[0]} {route.path}")
def test_what_changes_something_demands_more_than_a_reader(route: ScopedRoute) -> None:
    """But for questions, which are POSTs that change nothing, and for what is one's own."""
    if (
        route.methods <= {"GET", "HEAD"}
        or route.path in {"/v1/search", "/v1/answers"} | _OWN
        or named(route) in _DOORS
    ):
        return
    caller = next(demands(route.dependant))
    assert isinstance(caller, Operator) or (isinstance(caller, Caller) and caller.role != "reader")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{sorted(route.methods)[0]} {route.path}")
def test_nothing_runs_in_a_thread(route: ScopedRoute) -> None:
    """Handlers and dependencies are coroutines: a thread pool would limit and slow every request."""

    def calls(dependant: Dependant) -> Iterator[object]:
        yield dependant.call
        for each in dependant.dependencies:
            yield from calls(each)

    for call in calls(route.dependant):
        assert iscoroutinefunction(call) or iscoroutinefunction(type(call).__call__)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{sorted(route.methods)[0]} {route.path}")
def test_every_route_says_in_a_few_words_what_it_does(route: ScopedRoute) -> None:
    """The API's page is read by people: a summary of three to six words, and a description."""
    if not route.include_in_schema:
        return
    assert route.summary, "give the route a summary"
    assert 3 <= len(route.summary.split()) <= 6
    assert route.description


_BY_COLLECTION = {
    "access", "archive", "audit", "collections", "datasets", "dead-letters", "documents", "export", "groups",
    "invitations", "keys", "limits", "members", "runs", "schedules", "secrets", "sign-on", "sources", "switches",
    "tunings", "usage", "webhooks",
}  # fmt: skip
"""Whose handlers hold a limited key to its collections, or refuse it, themselves."""


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{sorted(route.methods)[0]} {route.path}")
def test_a_key_of_some_collections_governs_no_more(route: ScopedRoute) -> None:
    """What admins and owners may do either says that it is the whole tenant's, or knows what a limited key may touch."""
    (found,) = demands(route.dependant)
    if isinstance(found, Caller) and found.role in ("admin", "owner") and not found.whole:
        assert _BY_COLLECTION & set(route.path.replace(":", "/").split("/")), route.path


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{sorted(route.methods)[0]} {route.path}")
def test_what_begins_something_takes_an_idempotency_key(route: ScopedRoute) -> None:
    """Every POST that answers 201 or 202: a client that lost the answer asks again, and it has happened once."""
    if route.methods != {"POST"} or route.status_code not in {201, 202} or route.path.startswith("/scim/"):
        return
    assert ("idempotency-key" in headers(route.dependant)) == (named(route) not in _UNKEYED.keys() | _DOORS)
