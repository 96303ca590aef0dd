"""Databases of tenants' own, and moving tenants to them and back: for the operator."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from knowlog.api.dependencies import AS_OPERATOR, NO_NUL, Route, TheApp, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.tenants import Move, Place, ask_move, cancel_move, get_move, list_places

router = APIRouter(
    prefix="/v1", tags=["tenants"], route_class=Route, dependencies=[AS_OPERATOR], responses=problems()
)


class WantedPlace(Body):
    """Where a tenant is to live."""

    to: Annotated[str, Field(min_length=1, max_length=63, examples=["acme"]), NO_NUL] = Field(
        description="A silo that KNOWLOG_DATABASE_SILOS names, or `home`."
    )


@router.get("/silos", response_model=Listing[Place], summary="List the databases")
async def silos(app: TheApp) -> Response:
    """List the home database and every silo, whether it answers, and how many tenants live there."""
    return reply({"items": await list_places(app.database), "next_cursor": None})


@router.post(
    "/tenants/{tenant_id:uuid}/move",
    status_code=202,
    response_model=Move,
    responses=problems(404, 409),
    summary="Move a tenant to another database",
)
async def start(tenant_id: UUID, body: WantedPlace, app: TheApp) -> Response:
    """Have a worker move a tenant to a database of its own, or back. It is used meanwhile; for a moment at the end it is
    read and not written: what would write is answered 503 with Retry-After. Example: `{"to": "acme"}`.
    """
    return reply(await ask_move(app.database, tenant_id, body.to), 202)


@router.get(
    "/tenants/{tenant_id:uuid}/move",
    response_model=Move,
    responses=problems(404),
    summary="Show a tenant's move",
)
async def show(tenant_id: UUID, app: TheApp) -> Response:
    """Show how far the last move of a tenant has come, and what holds it up."""
    return reply(await get_move(app.database, tenant_id))


@router.delete(
    "/tenants/{tenant_id:uuid}/move",
    response_model=Move,
    responses=problems(404, 409),
    summary="Give a tenant's move up",
)
async def cancel(tenant_id: UUID, app: TheApp) -> Response:
    """Give a move up while the tenant still lives at its old place. What was copied is deleted again."""
    return reply(await cancel_move(app.database, tenant_id))
