"""Tenants: for the operator of the installation."""

import logging
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from knowlog.api.dependencies import AS_OPERATOR, NO_NUL, Cursor, Limit, Moment, Route, TheApp, reply
from knowlog.api.keys import CreatedKey
from knowlog.api.model import Body, Listing, problems
from knowlog.edge import decode_cursor, encode_cursor
from knowlog.tenants import (
    Key,
    Role,
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


_log = logging.getLogger("knowlog.audit")


class NewTenant(Body):
    """A tenant to create."""

    name: Annotated[str, Field(min_length=1, max_length=200, examples=["Fernhill Instruments"]), NO_NUL]


class CreatedTenant(Body):
    """A new tenant with its first key. The secret is shown this once and kept nowhere."""

    tenant: Tenant
    key: Key
    secret: str


class IssuedKey(Body):
    """A key that the operator issues to a tenant, such as one that has lost its last owner's key."""

    name: Annotated[str, Field(min_length=1, max_length=200), NO_NUL] = "issued by the operator"
    role: Role = "owner"
    expires_at: Moment | None = None


@router.post("", status_code=201, response_model=CreatedTenant, summary="Create a tenant")
async def create(body: NewTenant, app: TheApp) -> Response:
    """Create a tenant and its first key, an owner's. The secret cannot be read again."""
    tenant = await create_tenant(app.database, body.name)
    owner = operator_principal(tenant.tenant_id)
    async with app.database.transaction(owner.scope) as connection:
        key, secret = await create_key(connection, owner, "first owner", "owner")
    location = {"Location": f"/v1/tenants/{tenant.tenant_id}"}
    return reply({"tenant": tenant, "key": key, "secret": secret}, 201, location)


@router.get("", response_model=Listing[Tenant], summary="List all tenants")
async def listing(app: TheApp, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """List tenants in the order of their creation."""
    after: Any = decode_cursor(cursor, UUID)
    found = await list_tenants(app.database, after and after[0], limit + 1)
    following = encode_cursor(found[limit - 1].tenant_id) if len(found) > limit else None
    return reply({"items": found[:limit], "next_cursor": following})


@router.post(
    "/{tenant_id}/keys",
    status_code=201,
    response_model=CreatedKey,
    responses=problems(404),
    summary="Issue a tenant's key",
)
async def issue_key(tenant_id: UUID, body: IssuedKey, app: TheApp) -> Response:
    """Issue a key to a tenant that is there, by default an owner's: for one whose last owner's key is lost.

    The secret is shown this once. The key stands in the tenant's own list as created by `operator`, and the log
    of the server has a line of it. Example: `{"name": "after the loss of the old one", "role": "owner"}`.
    """
    await get_tenant(app.database, tenant_id)
    owner = operator_principal(tenant_id)
    async with app.database.transaction(owner.scope) as connection:
        key, secret = await create_key(connection, owner, body.name, body.role, expires_at=body.expires_at)
    _log.warning("the operator issued a key", extra={"fields": _audit(tenant_id, key)})
    location = {"Location": f"/v1/keys/{key.key_id}"}
    return reply({"key": key, "secret": secret}, 201, location)


@router.get("/{tenant_id}", response_model=Tenant, responses=problems(404), summary="Show one tenant")
async def show(tenant_id: UUID, app: TheApp) -> Response:
    """Show one tenant."""
    return reply(await get_tenant(app.database, tenant_id))


@router.delete("/{tenant_id}", status_code=204, responses=problems(404), summary="Delete a tenant entirely")
async def delete(tenant_id: UUID, app: TheApp) -> Response:
    """Delete a tenant and everything that belongs to it."""
    await app.delete_tenant(tenant_id)
    return Response(status_code=204)


def _audit(tenant_id: UUID, key: Key) -> dict[str, Any]:
    """What the log says of an issued key; never its secret."""
    return {
        "event": "key.issued",
        "tenant_id": tenant_id,
        "key_id": key.key_id,
        "role": key.role,
        "expires_at": key.expires_at,
        "principal": "operator",
    }
