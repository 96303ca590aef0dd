"""Every route demands to know who is calling."""

from collections.abc import Iterator
from inspect import iscoroutinefunction

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from knowlog.api.application import ROUTERS
from knowlog.edge import Caller, Operator

_PAPERS = {"/v1/events/asyncapi.json", "/v1/events/schemas/{type}/{version}"}
OPEN = {"/", "/health/live", "/health/ready", "/docs", "/docs/{asset}"} | _PAPERS
"""What holds no tenant's data and answers anybody. FastAPI's own /openapi.json is not among our routers."""

ROUTES = [route for router in ROUTERS for route in router.routes]


def demands(dependant: Dependant) -> Iterator[Caller | Operator]:
    """What a route's dependencies ask of the caller, at any depth."""
    for each in dependant.dependencies:
        if isinstance(each.call, (Caller, Operator)):
            yield each.call
        yield from demands(each)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{sorted(route.methods)[0]} {route.path}")
def test_every_route_knows_its_caller(route: APIRoute) -> None:
    """One principal a route, or a place in the list of open ones."""
    found = list(demands(route.dependant))
    if route.path in OPEN:
        assert found == []
    else:
        assert len(found) == 1, "the route has no principal: give its handler a caller"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{sorted(route.methods)[0]} {route.path}")
def test_what_changes_something_demands_more_than_a_reader(route: APIRoute) -> None:
    """But for questions, which are POSTs that change nothing."""
    if route.methods == {"GET"} or route.path in {"/v1/search", "/v1/answers"}:
        return
    caller = next(demands(route.dependant))
    assert isinstance(caller, Operator) or caller.role != "reader"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{sorted(route.methods)[0]} {route.path}")
def test_nothing_runs_in_a_thread(route: APIRoute) -> None:
    """Handlers and dependencies are coroutines: a thread pool would limit and slow every request."""

    def calls(dependant: Dependant) -> Iterator[object]:
        yield dependant.call
        for each in dependant.dependencies:
            yield from calls(each)

    for call in calls(route.dependant):
        assert iscoroutinefunction(call) or iscoroutinefunction(type(call).__call__)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{sorted(route.methods)[0]} {route.path}")
def test_every_route_says_in_a_few_words_what_it_does(route: APIRoute) -> None:
    """The API's page is read by people: a summary of three to six words, and a description."""
    if not route.include_in_schema:
        return
    assert route.summary, "give the route a summary"
    assert 3 <= len(route.summary.split()) <= 6
    assert route.description
