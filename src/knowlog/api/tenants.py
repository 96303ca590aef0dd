"""Tenants: for the operator of the installation."""

import logging
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from knowlog.api.dependencies import (
    AS_OPERATOR,
    NO_NUL,
    Cursor,
    IdempotencyKey,
    Limit,
    Moment,
    Route,
    TheApp,
    as_json,
    reply,
    reply_once,
)
from knowlog.api.keys import CreatedKey
from knowlog.api.lives import TenantReceipt
from knowlog.api.model import Body, Listing, problems
from knowlog.api.paging import page_of
from knowlog.api.repeating import Repeats
from knowlog.bootstrap import App
from knowlog.database import Connection
from knowlog.edge import KEPT, Answer, check_key, decode_cursor, fingerprint, once_claimed
from knowlog.tenants import (
    Key,
    Role,
    Tenant,
    create_key,
    create_tenant,
    create_tenant_once,
    get_tenant,
    list_tenants,
    operator_principal,
    record,
    record_also_for_operator,
    set_weight,
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
    """A new tenant with its first key. The secret is shown this once and kept nowhere; it is null when a request
    is repeated.
    """

    tenant: Tenant
    key: Key
    secret: str | None


class IssuedKey(Body):
    """A key that the operator issues to a tenant, such as one that has lost its last owner's key."""

    name: Annotated[str, Field(min_length=1, max_length=200), NO_NUL] = "issued by the operator"
    role: Role = "owner"
    expires_at: Moment | None = None


class Change(Body):
    """What is to change about a tenant."""

    weight: int = Field(ge=1, le=1000, description="Its share of the workers; others have 1.")


@router.post("", status_code=201, response_model=CreatedTenant, summary="Create a tenant")
async def create(body: NewTenant, app: TheApp, idempotency_key: IdempotencyKey = None) -> Response:
    """Create a tenant and its first key, an owner's. The secret cannot be read again, not even by repeating the
    request with its Idempotency-Key.
    """
    if idempotency_key is None:
        tenant = await create_tenant(app.database, body.name)
        return reply_once(await _first_key(app, tenant, None, b""))
    check_key(idempotency_key)
    asked = fingerprint("create tenant", body.name)
    tenant = await create_tenant_once(app.database, body.name, idempotency_key, asked, KEPT)
    return reply_once(await _first_key(app, tenant, idempotency_key, asked))


@router.get("", response_model=Listing[Tenant], summary="List all tenants")
async def listing(app: TheApp, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """List tenants in the order of their creation."""
    after: Any = decode_cursor(cursor, UUID)
    found = await list_tenants(app.database, after and after[0], limit + 1)
    return page_of(found, limit, lambda each: (each.tenant_id,))


@router.post(
    "/{tenant_id}/keys",
    status_code=201,
    response_model=CreatedKey,
    responses=problems(404),
    summary="Issue a tenant's key",
)
async def issue_key(tenant_id: UUID, body: IssuedKey, app: TheApp, repeats: Repeats) -> Response:
    """Issue a key to a tenant that is there, by default an owner's: for one whose last owner's key is lost.

    The secret is shown this once. The key stands in the tenant's own list as created by `operator`, and the log
    of the server has a line of it. Example: `{"name": "after the loss of the old one", "role": "owner"}`.
    """
    await get_tenant(app.database, tenant_id)
    owner = operator_principal(tenant_id)

    async def act(connection: Connection) -> Answer:
        key, secret = await create_key(connection, owner, body.name, body.role, expires_at=body.expires_at)
        told = {"name": key.name, "role": key.role, "expires_at": key.expires_at}
        await record_also_for_operator(connection, owner.scope, "key.issued", f"key:{key.key_id}", told)
        location = {"Location": f"/v1/keys/{key.key_id}"}
        return Answer(201, {"key": as_json(key), "secret": None}, location, {"secret": secret})

    answer = await repeats.answer(app, owner.scope, act)
    if not answer.repeated:
        _log.warning("the operator issued a key", extra={"fields": _audit(tenant_id, answer.body["key"])})
    return reply_once(answer)


@router.get("/{tenant_id}", response_model=Tenant, responses=problems(404), summary="Show one tenant")
async def show(tenant_id: UUID, app: TheApp) -> Response:
    """Show one tenant."""
    return reply(await get_tenant(app.database, tenant_id))


@router.patch(
    "/{tenant_id}",
    response_model=Tenant,
    responses=problems(404),
    summary="Change a tenant's weight",
)
async def change(tenant_id: UUID, body: Change, app: TheApp) -> Response:
    """Set a tenant's weight: where work of several waits, a tenant of weight 3 is served three times as much as one of
    weight 1. It holds for what is taken from now on.
    """
    return reply(await set_weight(app.database, tenant_id, body.weight))


@router.delete(
    "/{tenant_id}", response_model=TenantReceipt, responses=problems(404), summary="Delete a tenant entirely"
)
async def delete(tenant_id: UUID, app: TheApp) -> Response:
    """Delete a tenant and everything that belongs to it. The receipt counts what was removed, table by table, and proves
    by searching all of them that nothing is left.
    """
    return reply(await app.delete_tenant(tenant_id))


async def _first_key(app: App, tenant: Tenant, idempotency_key: str | None, asked: bytes) -> Answer:
    """Create the first key of a tenant; with an Idempotency-Key, unless that was done."""
    owner = operator_principal(tenant.tenant_id)
    async with app.database.transaction(owner.scope) as connection:

        async def act() -> Answer:
            key, secret = await create_key(connection, owner, "first owner", "owner")
            told = {"name": key.name, "role": key.role}
            await record(connection, owner.scope, "key.created", f"key:{key.key_id}", told)
            body = {"tenant": as_json(tenant), "key": as_json(key), "secret": None}
            return Answer(201, body, {"Location": f"/v1/tenants/{tenant.tenant_id}"}, {"secret": secret})

        if idempotency_key is None:
            return await act()
        return await once_claimed(connection, owner.scope, idempotency_key, asked, act)


def _audit(tenant_id: UUID, key: dict[str, Any]) -> dict[str, Any]:
    """What the log says of an issued key; never its secret."""
    return {
        "event": "key.issued",
        "tenant_id": tenant_id,
        "key_id": key["key_id"],
        "role": key["role"],
        "expires_at": key["expires_at"],
        "principal": "operator",
    }
