"""Tenants: for the operator of the installation."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from knowlog.api.dependencies import AS_OPERATOR, NO_NUL, Cursor, Limit, Route, TheApp, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.edge import decode_cursor, encode_cursor
from knowlog.tenants import (
    Key,
    Tenant,
    create_key,
    create_tenant,
    get_tenant,
    list_tenants,
    operator_principal,
)

router = APIRouter(
    prefix="/v1/tenants",
    tags=["tenants"],
    route_class=Route,
    dependencies=[AS_OPERATOR],
    responses=problems(),
)


class NewTenant(Body):
    """A tenant to create."""

    name: Annotated[str, Field(min_length=1, max_length=200, examples=["Fernhill Instruments"]), NO_NUL]


class CreatedTenant(Body):
    """A new tenant with its first key. The secret is shown this once and kept nowhere."""

    tenant: Tenant
    key: Key
    secret: str


@router.post("", status_code=201, response_model=CreatedTenant)
async def create(body: NewTenant, app: TheApp) -> Response:
    """Create a tenant and its first key, an owner's. The secret cannot be read again."""
    tenant = await create_tenant(app.database, body.name)
    owner = operator_principal(tenant.tenant_id)
    async with app.database.transaction(owner.scope) as connection:
        key, secret = await create_key(connection, owner, "first owner", "owner")
    location = {"Location": f"/v1/tenants/{tenant.tenant_id}"}
    return reply({"tenant": tenant, "key": key, "secret": secret}, 201, location)


@router.get("", response_model=Listing[Tenant])
async def listing(app: TheApp, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """List tenants in the order of their creation."""
    after: Any = decode_cursor(cursor, UUID)
    found = await list_tenants(app.database, after and after[0], limit + 1)
    following = encode_cursor(found[limit - 1].tenant_id) if len(found) > limit else None
    return reply({"items": found[:limit], "next_cursor": following})


@router.get("/{tenant_id}", response_model=Tenant, responses=problems(404))
async def show(tenant_id: UUID, app: TheApp) -> Response:
    """Show one tenant."""
    return reply(await get_tenant(app.database, tenant_id))


@router.delete("/{tenant_id}", status_code=204, responses=problems(404))
async def delete(tenant_id: UUID, app: TheApp) -> Response:
    """Delete a tenant and everything that belongs to it."""
    await app.delete_tenant(tenant_id)
    return Response(status_code=204)
