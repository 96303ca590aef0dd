"""What is done with tenants and their keys."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from knowlog.bus import notify_progress
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.kernel import new_id, now
from knowlog.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated, Unavailable
from knowlog.tenants.audit import record, record_as_operator
from knowlog.tenants.model import NO_TENANT, Key, KeyRole, Principal, Tenant, subjects_of
from knowlog.tenants.naming import clean_name, known_key_role
from knowlog.tenants.sessions import SUSPENDED, authenticate_member

_SQL = load_queries("knowlog.tenants")
_KEY = re.compile(r"kl_([0-9a-f]{32})_[A-Za-z0-9_-]{43}")
_TOKEN = "eyJ"  # noqa: S105 - so begins every JSON Web Token
_REFUSED = (
    "The API key is not valid: mistyped, expired or revoked. Ask an admin of your tenant for a new one."
)


async def authenticate(database: Database, secret: str) -> Principal:
    """Find out whose API key or access token `secret` is. Read from the database at each call, so that revoking works at
    once.

    Raises Unauthenticated for one that is malformed, unknown, expired or revoked: all with the same words; and Forbidden
    when its tenant is suspended.
    """
    if secret.startswith(_TOKEN):
        return await authenticate_member(database, secret)
    match = _KEY.fullmatch(secret)
    if match is None:
        raise Unauthenticated(_REFUSED)
    tenant_id = UUID(match[1])
    row = await database.look(_SQL["key_of"], tenant_id, _hash(secret))
    if row is None or row["used_again"]:
        row = await _find_key(database, tenant_id, secret)
    if row["suspended"]:
        raise Forbidden(SUSPENDED)
    collections = None if row["collections"] is None else frozenset(row["collections"])
    if row["role"] == "provisioner":
        collections = frozenset()  # no route lets it near a document; this is the second wall
    subjects = subjects_of(row["role"], row["groups"])
    scope = Scope(tenant_id, f"key:{row['key_id']}", collections=collections, subjects=subjects)
    return Principal(scope, row["role"], row["key_id"])


async def _find_key(database: Database, tenant_id: UUID, secret: str) -> Any:
    """Find a key where its tenant lives, and write down that it was used, or refused. Raises Unauthenticated."""
    scope = Scope(tenant_id, "authentication")
    row, was_read = None, False
    try:
        async with database.transaction(scope) as connection:
            row, was_read = await connection.fetchrow(_SQL["find_key"], _hash(secret)), True
            if row is None:
                await _note_refusal(connection, tenant_id, secret)
    except Unavailable:  # who is refused is refused, though nothing of it can be written
        if not was_read:
            raise
    if row is None:
        raise Unauthenticated(_REFUSED)
    if row["used_again"] and not row["suspended"]:
        with suppress(Unavailable):  # who only reads needs no room on the database's disk
            async with database.transaction(scope) as connection:
                await connection.execute(_SQL["touch_key"], row["key_id"])
    return row


async def _note_refusal(connection: Connection, tenant_id: UUID, secret: str) -> None:
    """Record that a key which opens nothing any more was offered: once an hour, and of no other secret, so that only who
    holds what was a key can make the tenant's chain grow, and that by little. A tenant that is just being moved is read
    and not written: then it is not recorded, and refused all the same.
    """
    if await connection.fetchval(_SQL["is_held"]):
        return
    row = await connection.fetchrow(_SQL["refuse_key"], _hash(secret))
    if row is not None:
        scope = Scope(tenant_id, f"key:{row['key_id']}")
        await record(connection, scope, "key.refused", f"key:{row['key_id']}", {"because": row["because"]})


async def create_tenant(database: Database, name: str) -> Tenant:
    """Create a tenant. For the operator. Raises Invalid for a name that is empty or longer than 200 characters."""
    tenant_id = new_id()
    async with database.system() as connection:
        await connection.execute("select create_tenant($1, $2)", tenant_id, clean_name(name))
        await _record_creation(connection, tenant_id, name)
    return await get_tenant(database, tenant_id)


async def create_tenant_once(
    database: Database, name: str, key: str, request: bytes, kept: timedelta
) -> Tenant:
    """Create a tenant, or return the one that was created with this Idempotency-Key within `kept`.

    The key is claimed for the operator in the tenant's list of keys, together with the request's fingerprint.
    """
    wanted_id = new_id()
    async with database.system() as connection:
        tenant_id: UUID = await connection.fetchval(
            "select create_tenant_once($1, $2, $3, $4, $5)", wanted_id, clean_name(name), key, request, kept
        )
        if tenant_id == wanted_id:
            await _record_creation(connection, tenant_id, name)
    return await get_tenant(database, tenant_id)


async def get_tenant(database: Database, tenant_id: UUID) -> Tenant:
    """Return one tenant. Raises NotFound."""
    place = await database.of(tenant_id)
    async with place.transaction(Scope(tenant_id, "operator")) as connection:
        row = await connection.fetchrow(_SQL["get_tenant"])
    if row is None:
        raise NotFound(NO_TENANT)
    return Tenant(**row, silo=place.name or None)


async def list_tenants(database: Database, after: UUID | None = None, most: int = 100) -> list[Tenant]:
    """List tenants in the order of their creation, from behind `after`; those in silos that do not answer are left out.
    For the operator.
    """
    found: list[Tenant] = []
    for place in await database.reachable():
        async with place.system() as connection:
            rows = await connection.fetch("select * from tenants_listed($1, $2)", after, most)
        found += [Tenant(**row, silo=place.name or None) for row in rows]
    return sorted(found, key=lambda each: each.tenant_id)[:most]


async def set_weight(database: Database, tenant_id: UUID, weight: int) -> Tenant:
    """Set a tenant's share of the workers, 1 to 1,000; others have 1. For the operator. Raises Invalid, NotFound."""
    if not 1 <= weight <= 1000:
        raise Invalid("A tenant's weight is a whole number from 1 to 1,000.")
    async with database.system_of(tenant_id) as connection:
        if not await connection.fetchval("select set_tenant_weight($1, $2)", tenant_id, weight):
            raise NotFound(NO_TENANT)
        scope, subject = operator_principal(tenant_id).scope, f"tenant:{tenant_id}"
        await record_as_operator(connection, scope, "tenant.changed", subject, {"weight": weight})
    return await get_tenant(database, tenant_id)


async def create_key(
    connection: Connection,
    creator: Principal,
    name: str,
    role: KeyRole,
    collections: Sequence[UUID] | None = None,
    expires_at: datetime | None = None,
    groups: Sequence[UUID] = (),
) -> tuple[Key, str]:
    """Create a key and return it with its secret, which cannot be read again.

    It sees the documents that are for one of `groups`, besides those that are for all.

    Raises Forbidden when the key would do more than its creator, Invalid for values out of range, NotFound for a
    collection that is not there.
    """
    _check_rights(creator, role, collections)
    if role == "provisioner" and (collections is not None or groups):
        raise Invalid(
            "A key of the role provisioner keeps all members and groups: name no collections and no groups."
        )
    if collections is not None and not collections:
        raise Invalid("A key for no collection opens nothing. Name its collections, or give null for all.")
    if expires_at is not None and expires_at <= now():
        raise Invalid("expires_at lies in the past. Give a moment in the future, or none.")
    missing = await connection.fetch(_SQL["missing_collections"], list(collections or ()))
    if missing:
        raise NotFound(f"There is no collection {missing[0]['id']}.")
    secret = f"kl_{creator.scope.tenant_id.hex}_{secrets.token_urlsafe(32)}"
    row = await connection.fetchrow(
        _SQL["insert_key"], new_id(), clean_name(name), _hash(secret), secret[-4:], role,
        None if collections is None else list(collections), creator.scope.principal, expires_at,
        sorted(set(groups)),
    )  # fmt: skip
    return _key(row), secret


async def list_keys(connection: Connection) -> list[Key]:
    """List the keys of the tenant, revoked ones too."""
    return [_key(row) for row in await connection.fetch(_SQL["list_keys"])]


async def get_key(connection: Connection, key_id: UUID) -> Key:
    """Return one key. Raises NotFound."""
    row = await connection.fetchrow(_SQL["get_key"], key_id)
    if row is None:
        raise NotFound("There is no such key.")
    return _key(row)


async def revoke_key(connection: Connection, revoker: Principal, key_id: UUID) -> Key:
    """Revoke a key, at once.

    Raises NotFound, Forbidden for a key that may do more than its revoker, Conflict for the last one of an owner
    where no member is one.
    """
    key = await get_key(connection, key_id)
    if not revoker.may(key.role):
        least = "owner" if key.role == "provisioner" else key.role
        raise Forbidden(f"A key with the role {key.role} can be revoked by the role {least} or above.")
    owns = key.role == "owner" and key.revoked_at is None
    if owns and not await connection.fetchval(_SQL["other_owner"], key_id):
        raise Conflict(
            "This is the last key of the role owner, and no member owns the tenant. Create another first, or nobody"
            " can manage it."
        )
    await notify_progress(connection, revoker.scope.tenant_id, key_id)  # ends the streams that it opened
    return _key(await connection.fetchrow(_SQL["revoke_key"], key_id))


def operator_principal(tenant_id: UUID) -> Principal:
    """The operator acting as owner of a tenant, to make its first key."""
    return Principal(Scope(tenant_id, "operator"), "owner")


async def _record_creation(connection: Connection, tenant_id: UUID, name: str) -> None:
    scope = operator_principal(tenant_id).scope
    await record_as_operator(
        connection, scope, "tenant.created", f"tenant:{tenant_id}", {"name": clean_name(name)}
    )


def _check_rights(creator: Principal, role: KeyRole, collections: Sequence[UUID] | None) -> None:
    if not creator.may(known_key_role(role)):
        raise Forbidden(f"With the role {creator.role} you cannot make a key with the role {role}.")
    allowed = creator.scope.collections
    if allowed is not None and (collections is None or not allowed.issuperset(collections)):
        raise Forbidden(
            "Your key is limited to some collections; a key that it makes must be limited to those."
        )


def _hash(secret: str) -> bytes:
    # The secret has 256 random bits, so that a plain hash cannot be searched; argon2 is for what people remember.
    return hashlib.sha256(secret.encode()).digest()


def _key(row: Any) -> Key:
    values = dict(row)
    values["collections"] = None if row["collections"] is None else tuple(row["collections"])
    values["groups"] = tuple(row["groups"])
    return Key(**values)
