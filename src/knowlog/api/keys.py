"""API keys of a tenant."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from knowlog.api.dependencies import (
    NO_NUL,
    AsAdmin,
    IdempotencyKey,
    Moment,
    Route,
    Text,
    TheApp,
    as_json,
    reply,
    reply_once,
)
from knowlog.api.model import Body, Listing, problems
from knowlog.database import Scope
from knowlog.documents import resolve_collections
from knowlog.edge import Answer, fingerprint, once
from knowlog.kernel.errors import NotFound
from knowlog.tenants import Key, KeyRole, create_key, get_key, list_keys, record, revoke_key

router = APIRouter(prefix="/v1/keys", tags=["keys"], route_class=Route, responses=problems())


class NewKey(Body):
    """A key to create. Its role may not be above that of the key that creates it."""

    name: Annotated[str, Field(min_length=1, max_length=200, examples=["intranet search"]), NO_NUL]
    role: KeyRole = "reader"
    collections: Annotated[list[Text] | None, Field(max_length=1000)] = Field(
        None, description="Names or ids of the collections that it may touch. Null: all, later ones too."
    )
    groups: Annotated[list[UUID], Field(max_length=1000)] = Field(
        default_factory=list,
        description="Ids for which it stands where documents are for some only. Admins and owners see all.",
    )
    expires_at: Moment | None = None


class CreatedKey(Body):
    """A new key. The secret is shown this once and kept nowhere; it is null when a request is repeated."""

    key: Key
    secret: str | None


@router.post(
    "", status_code=201, response_model=CreatedKey, responses=problems(404), summary="Create an API key"
)
async def create(
    body: NewKey, request: Request, caller: AsAdmin, app: TheApp, idempotency_key: IdempotencyKey = None
) -> Response:
    """Create a key, with a role not above your own.

    Its secret cannot be read again, not even by repeating the request with its `Idempotency-Key`.
    Example: `{"name": "intranet search", "role": "reader", "collections": ["handbook"]}`.
    """
    asked = fingerprint("create key", await request.body())
    async with app.database.transaction(caller.scope) as connection:

        async def act() -> Answer:
            ids = (
                None
                if body.collections is None
                else [
                    found.collection_id
                    for found in await resolve_collections(connection, caller.scope, body.collections)
                ]
            )
            expires_at: datetime | None = body.expires_at
            key, secret = await create_key(
                connection, caller, body.name, body.role, ids, expires_at, body.groups
            )
            await record(connection, caller.scope, "key.created", f"key:{key.key_id}", _told(key))
            location = {"Location": f"/v1/keys/{key.key_id}"}
            return Answer(201, {"key": as_json(key), "secret": None}, location, {"secret": secret})

        answer = await once(connection, caller.scope, idempotency_key, asked, act)
    return reply_once(answer)


@router.get("", response_model=Listing[Key], summary="List the tenant's keys")
async def listing(caller: AsAdmin, app: TheApp) -> Response:
    """List the keys of the tenant, revoked ones too, oldest first. A limited key sees those within its own
    limits.
    """
    async with app.database.transaction(caller.scope) as connection:
        keys = await list_keys(connection)
    return reply({"items": [key for key in keys if _visible(key, caller.scope)], "next_cursor": None})


@router.get("/{key_id}", response_model=Key, responses=problems(404), summary="Show one API key")
async def show(key_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Show one key, without its secret."""
    async with app.database.transaction(caller.scope) as connection:
        key = await get_key(connection, key_id)
    if not _visible(key, caller.scope):
        raise NotFound("There is no such key.")
    return reply(key)


@router.delete("/{key_id}", response_model=Key, responses=problems(404, 409), summary="Revoke an API key")
async def revoke(key_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Revoke a key, at once. It stays in the list, with the time of its end."""
    async with app.database.transaction(caller.scope) as connection:
        if not _visible(await get_key(connection, key_id), caller.scope):
            raise NotFound("There is no such key.")
        key = await revoke_key(connection, caller, key_id)
        await record(connection, caller.scope, "key.revoked", f"key:{key_id}", {"name": key.name})
    return reply(key)


def _told(key: Key) -> dict[str, Any]:
    """What the audit log says of a new key."""
    return {
        "name": key.name,
        "role": key.role,
        "collections": key.collections,
        "groups": key.groups,
        "expires_at": key.expires_at,
    }


def _visible(key: Key, scope: Scope) -> bool:
    """A key that is limited to some collections knows of no other limits than its own."""
    return scope.collections is None or (
        key.collections is not None and scope.collections.issuperset(key.collections)
    )
