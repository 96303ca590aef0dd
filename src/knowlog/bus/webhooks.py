"""Webhooks: addresses of a tenant's own to which its events are sent, signed as Standard Webhooks has it."""

import base64
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID

from knowlog.bus.catalogue import CATALOGUE
from knowlog.bus.log import present_position
from knowlog.bus.settings import WebhooksSettings
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.kernel import new_id, now
from knowlog.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from knowlog.kernel.wording import counted

WebhookState = Literal["active", "disabled"]
SQL = load_queries("knowlog.bus", "webhooks.sql")
EVERYTHING = "*"
_OLD_SECRET_KEPT = timedelta(hours=24)
_SECRET_BYTES = 32
_DELETED = "The webhook was deleted."
_DISABLED = "The webhook is disabled."


class Sealer(Protocol):
    """What keeps secrets for the tenant of a transaction (`tenants.Vault`)."""

    async def seal(self, connection: Connection, purpose: str, text: str) -> bytes:
        """Encrypt."""

    async def open(self, connection: Connection, purpose: str, sealed: bytes) -> str:
        """Decrypt."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address, and which events go there. `failures` counts since the last delivery that succeeded;
    `reason` says why the last attempt failed since then, or why the webhook is disabled.
    """

    endpoint_id: UUID
    url: str
    description: str
    types: Sequence[str]
    collections: Sequence[UUID] | None
    state: WebhookState
    reason: str | None
    failures: int
    failing_since: datetime | None
    delivered_at: datetime | None
    old_secret_until: datetime | None
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What a webhook is to be; None leaves a member as it is. `types` holds `*` for all."""

    url: str | None = None
    description: str | None = None
    types: Sequence[str] | None = None
    state: WebhookState | None = None


async def create_webhook(
    connection: Connection,
    scope: Scope,
    wish: Wish,
    collections: Sequence[UUID] | None,
    settings: WebhooksSettings,
    vault: Sealer,
) -> tuple[Webhook, str]:
    """Create a webhook and return it with its secret, which is not shown again. It gets what happens from now on.

    Raises Invalid, Forbidden for collections beyond the caller's, Conflict when the tenant has too many, Unavailable.
    """
    _check_types(wish.types)
    _check_collections(scope, collections)
    if await connection.fetchval(SQL["count"]) >= settings.most_per_tenant:
        raise Conflict(
            f"Your tenant has {counted(settings.most_per_tenant, 'webhook')} already. Delete one that is not needed."
        )
    endpoint_id, secret = new_id(), _new_secret()
    await connection.execute(
        SQL["insert"], endpoint_id, wish.url, wish.description or "", list(wish.types or (EVERYTHING,)),
        None if collections is None else list(collections), await seal_for(vault, connection, endpoint_id, secret),
        scope.principal,
        await present_position(connection),
    )  # fmt: skip
    return await get_webhook(connection, scope, endpoint_id), secret


async def list_webhooks(connection: Connection, scope: Scope) -> list[Webhook]:
    """List the tenant's webhooks in the order of their creation; a limited caller sees those within its limits."""
    rows = await connection.fetch(SQL["list"], None, _within(scope))
    return [Webhook(**row) for row in rows]


async def get_webhook(connection: Connection, scope: Scope, endpoint_id: UUID) -> Webhook:
    """Return one webhook. Raises NotFound."""
    row = await connection.fetchrow(SQL["list"], endpoint_id, _within(scope))
    if row is None:
        raise NotFound(
            "There is no such webhook. `GET /v1/webhooks` lists yours, as `knowlog webhooks list` does."
        )
    return Webhook(**row)


async def update_webhook(connection: Connection, scope: Scope, endpoint_id: UUID, wish: Wish) -> Webhook:
    """Change a webhook. One that becomes active again begins at the present: replay what it missed.

    Raises NotFound, Invalid, Unavailable.
    """
    _check_types(wish.types)
    await get_webhook(connection, scope, endpoint_id)
    types = None if wish.types is None else list(wish.types)
    place = await present_position(connection) if wish.state == "active" else None
    await connection.execute(SQL["update"], endpoint_id, wish.url, wish.description, types, wish.state, place)
    if wish.state == "active":  # whoever says so has mended it
        await connection.execute(SQL["hasten"], endpoint_id)
    if wish.state == "disabled":
        await connection.execute(SQL["end_waiting"], endpoint_id, "failed", _DISABLED)
    return await get_webhook(connection, scope, endpoint_id)


async def rotate_secret(
    connection: Connection, scope: Scope, endpoint_id: UUID, vault: Sealer
) -> tuple[Webhook, str]:
    """Give a webhook a new secret. For 24 hours deliveries are signed with both. Raises NotFound."""
    await get_webhook(connection, scope, endpoint_id)
    await _seal_one(connection, endpoint_id, vault)
    secret = _new_secret()
    sealed = await seal_for(vault, connection, endpoint_id, secret)
    await connection.execute(SQL["rotate"], endpoint_id, sealed, now() + _OLD_SECRET_KEPT)
    return await get_webhook(connection, scope, endpoint_id), secret


async def delete_webhook(connection: Connection, scope: Scope, endpoint_id: UUID) -> None:
    """Delete a webhook; what was still to be delivered, or could not be, is cancelled. Raises NotFound."""
    await get_webhook(connection, scope, endpoint_id)
    await connection.execute(SQL["delete"], endpoint_id)
    await connection.execute(SQL["end_waiting"], endpoint_id, "cancelled", _DELETED)
    await connection.execute(SQL["cancel_running"], endpoint_id, _DELETED)
    await connection.execute(SQL["forget_failed"], endpoint_id, _DELETED)


async def seal_for(vault: Sealer, connection: Connection, endpoint_id: UUID, secret: str) -> bytes:
    """Encrypt the secret of a webhook, so that it serves for no other."""
    return await vault.seal(connection, _purpose(endpoint_id), secret)


async def secrets_of(
    vault: Sealer,
    connection: Connection,
    endpoint_id: UUID,
    stored: Sequence[tuple[bytes | None, str | None]],
) -> list[str]:
    """The secrets of a webhook in the clear: of each (sealed, not sealed yet), the newer."""
    return [
        clear or await vault.open(connection, _purpose(endpoint_id), sealed or b"")
        for sealed, clear in stored
        if clear or sealed
    ]


async def seal_webhooks(database: Database, vault: Sealer, most: int = 100) -> int:
    """Seal the secrets that an earlier version of knowlog stored in the clear, up to `most` webhooks; each in a
    transaction of its own, so that it goes on where it was stopped. Returns how many.
    """
    async with database.system() as connection:
        found = await connection.fetch(SQL["unsealed"], most)
    for row in found:
        async with database.transaction(Scope(row["tenant_id"], "upkeep")) as connection:
            await _seal_one(connection, row["endpoint_id"], vault)
    return len(found)


async def _seal_one(connection: Connection, endpoint_id: UUID, vault: Sealer) -> None:
    row = await connection.fetchrow(SQL["clear"], endpoint_id)
    if row is not None:
        sealed = [each and await seal_for(vault, connection, endpoint_id, each) for each in row]
        await connection.execute(SQL["seal"], endpoint_id, *sealed)


def _purpose(endpoint_id: UUID) -> str:
    return f"webhook:{endpoint_id}"


def wanted_types(types: Collection[str]) -> list[str]:
    """The types of the log that a webhook wants, `*` written out. A test goes to its own webhook alone."""
    chosen = CATALOGUE if EVERYTHING in types else types
    return [name for name in chosen if name != "webhook.tested"]


def _check_types(types: Sequence[str] | None) -> None:
    if types is None:
        return
    if unknown := [name for name in types if name not in CATALOGUE and name != EVERYTHING]:
        known = ", ".join((EVERYTHING, *CATALOGUE))
        raise Invalid(f"There is no event type {unknown[0]!r:.100}. Known are: {known}.")
    if not types:
        raise Invalid("A webhook for no type gets nothing. Name the types that it is to get, or * for all.")


def _check_collections(scope: Scope, collections: Sequence[UUID] | None) -> None:
    if collections is not None and not collections:
        raise Invalid("A webhook for no collection gets nothing. Name its collections, or give null for all.")
    if scope.collections is not None and (
        collections is None or not scope.collections.issuperset(collections)
    ):
        raise Forbidden(
            "Your key is limited to some collections; a webhook that it makes must be limited to those."
        )


def _within(scope: Scope) -> list[UUID] | None:
    return None if scope.collections is None else list(scope.collections)


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
