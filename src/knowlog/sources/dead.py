"""Dead letters: messages that could not be taken, with the cause; kept until somebody replays or deletes them."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from knowlog.bus import Delivery, Message
from knowlog.database import Connection, Database, Scope
from knowlog.documents import BlobStore, within
from knowlog.kernel.errors import NotFound
from knowlog.sources.actions import SQL, get_source
from knowlog.sources.model import DeadBody, DeadLetter, Inlet, Unfit
from knowlog.tenants import record

_IN_TABLE_BYTES = 256 * 1024
_CAUSE_CHARS = 1000
_FORGOTTEN_AT_ONCE = 1000
_ABSENT = "There is no such dead letter. `GET /v1/dead-letters` lists yours, as `knowlog sources dead` does."


async def bury(
    connection: Connection, blobs: BlobStore, inlet: Inlet, dead: Sequence[tuple[Delivery, Unfit]]
) -> int:
    """Keep messages as dead letters, in the caller's transaction. Returns how many are new. Raises Unavailable."""
    rows = {row["id"]: row for row in (_row(inlet, delivery, unfit) for delivery, unfit in dead)}
    if not rows:
        return 0
    large = {row["blob"]: row["bytes"] for row in rows.values() if row["blob"]}
    if large:
        await blobs.put(large)
    columns = ("id", "message_id", "place", "key", "headers", "cause", "body", "blob", "size", "withheld")
    found = await connection.fetch(
        SQL["bury"], inlet.source_id, *([row[name] for row in rows.values()] for name in columns)
    )
    return sum(row["is_new"] for row in found)


async def list_dead_letters(
    connection: Connection,
    scope: Scope,
    *,
    source_id: UUID | None = None,
    replayed: bool | None = None,
    before: tuple[datetime, UUID] | None = None,
    most: int = 100,
) -> list[DeadLetter]:
    """List dead letters, newest first."""
    moment, last = before or (None, None)
    rows = await connection.fetch(
        SQL["dead_letters"], None, source_id, replayed, moment, last, most, within(scope)
    )
    return [DeadLetter(**row) for row in rows]


async def get_dead_letter(connection: Connection, scope: Scope, dead_letter_id: UUID) -> DeadLetter:
    """Return one dead letter. Raises NotFound."""
    row = await connection.fetchrow(
        SQL["dead_letters"], dead_letter_id, None, None, None, None, 1, within(scope)
    )
    if row is None:
        raise NotFound(_ABSENT)
    return DeadLetter(**row)


async def dead_body(connection: Connection, blobs: BlobStore, scope: Scope, dead_letter_id: UUID) -> DeadBody:
    """Return the body of a dead letter for its tenant to see. Raises NotFound, Unavailable."""
    row = await locked(connection, scope, dead_letter_id)
    if row["withheld"]:
        return DeadBody(None, None)
    body = await _body(blobs, row)
    try:
        return DeadBody("utf-8", body.decode())
    except UnicodeDecodeError:
        return DeadBody("base64", base64.b64encode(body).decode())


async def delete_dead_letter(
    database: Database, blobs: BlobStore, scope: Scope, dead_letter_id: UUID
) -> None:
    """Forget a dead letter for good. Raises NotFound."""
    async with database.transaction(scope) as connection:
        await locked(connection, scope, dead_letter_id)
        blob = await connection.fetchval(SQL["delete_dead_letter"], dead_letter_id)
        await record(connection, scope, "dead_letter.deleted", f"dead_letter:{dead_letter_id}")
    if blob:
        await blobs.delete([blob])


async def delete_dead_letters_of(database: Database, blobs: BlobStore, scope: Scope, source_id: UUID) -> int:
    """Forget all dead letters of a source for good, replayed ones too; in transactions of bearable size. Returns how
    many. Raises NotFound.
    """
    deleted = 0
    while True:
        async with database.transaction(scope) as connection:
            await get_source(connection, scope, source_id)
            rows = await connection.fetch(SQL["delete_dead_letters"], source_id, _FORGOTTEN_AT_ONCE)
            if rows or not deleted:
                told = {"dead_letters": len(rows)}
                await record(connection, scope, "dead_letter.deleted", f"source:{source_id}", told)
        if gone := [row["blob"] for row in rows if row["blob"]]:
            await blobs.delete(gone)
        deleted += len(rows)
        if len(rows) < _FORGOTTEN_AT_ONCE:
            return deleted


async def locked(connection: Connection, scope: Scope, dead_letter_id: UUID) -> Any:
    """Return the row of a dead letter with its source, locked. Raises NotFound."""
    row = await connection.fetchrow(SQL["dead_letter"], dead_letter_id, within(scope))
    if row is None:
        raise NotFound(_ABSENT)
    return row


async def delivery_of(blobs: BlobStore, row: Any) -> Delivery:
    """The message as it came. Raises NotFound, Unavailable."""
    return Delivery(Message(row["key"], row["place"], await _body(blobs, row)), headers=row["headers"])


async def _body(blobs: BlobStore, row: Any) -> bytes:
    return await blobs.get(row["blob"]) if row["blob"] else bytes(row["body"])


def _row(inlet: Inlet, delivery: Delivery, unfit: Unfit) -> dict[str, Any]:
    body, place = delivery.message.body, _storable(delivery.message.message_id)
    dead_letter_id = _identity(inlet, place, body)
    large = len(body) > _IN_TABLE_BYTES
    return {
        "id": dead_letter_id,
        "message_id": unfit.message_id,
        "place": place,
        "key": _storable(delivery.message.key),
        "headers": _storable_headers(delivery.headers),
        "cause": _storable(unfit.cause)[:_CAUSE_CHARS],
        "body": None if large else body,
        "blob": f"{inlet.tenant_id}/{dead_letter_id}/dead" if large else None,
        "bytes": body,
        "size": len(body),
        "withheld": unfit.withheld,
    }


def _identity(inlet: Inlet, place: str, body: bytes) -> UUID:
    """The same for each delivery of a message. Where the broker does not tell its place, equal bodies are one."""
    told = f"{inlet.source_id}\n{place}\n".encode()
    return UUID(bytes=hashlib.sha256(told + hashlib.sha256(body).digest()).digest()[:16], version=5)


def _storable_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {_storable(name): _storable(value) for name, value in headers.items()}


def _storable(text: str) -> str:
    return text.replace("\0", "")
