"""Whose pages in a browser may call for the tenant (CORS)."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from knowlog.api.dependencies import NO_NUL, AsAdminOfAll, Route, TheApp, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.tenants import Origin, add_origin, delete_origin, list_origins, record

router = APIRouter(prefix="/v1/origins", tags=["origins"], route_class=Route, responses=problems())


class NewOrigin(Body):
    """An origin whose pages may call: scheme, host and port, exactly."""

    origin: Annotated[str, Field(min_length=1, max_length=300, examples=["https://app.example.com"]), NO_NUL]


@router.post("", status_code=201, response_model=Origin, summary="List an origin")
async def create(body: NewOrigin, caller: AsAdminOfAll, app: TheApp) -> Response:
    """Let pages of an origin call for this tenant, with its keys and with cookies. Saying it twice changes nothing."""
    async with app.database.transaction(caller.scope) as connection:
        made = await add_origin(connection, caller, body.origin)
        await record(connection, caller.scope, "origin.added", f"origin:{made.origin}")
    return reply(made, 201)


@router.get("", response_model=Listing[Origin], summary="List allowed origins")
async def listing(caller: AsAdminOfAll, app: TheApp) -> Response:
    """List the origins whose pages may call. There is one page."""
    async with app.database.transaction(caller.scope) as connection:
        return reply({"items": await list_origins(connection), "next_cursor": None})


@router.delete("", status_code=204, responses=problems(404), summary="Strike an origin")
async def delete(
    origin: Annotated[str, Query(description="The origin, as it is listed.", max_length=300), NO_NUL],
    caller: AsAdminOfAll,
    app: TheApp,
) -> Response:
    """Let pages of an origin call no longer, from the next request on."""
    async with app.database.transaction(caller.scope) as connection:
        await delete_origin(connection, origin)
        await record(connection, caller.scope, "origin.removed", f"origin:{origin}")
    return Response(status_code=204)
