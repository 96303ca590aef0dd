"""Uploads in pieces: a file comes in over several requests, so that a connection that breaks costs one piece at most.

How far an upload is stands in the database, its pieces lie in the blob store: any process takes the next one, and what
was acknowledged survives a crash of all of them. An upload belongs to the member or key that began it; to everybody else,
it is not there. Pieces are held against the tenant's stored bytes from the moment at which they are kept.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson

from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.documents.collections import hold_collection
from knowlog.documents.content import Content, size_of
from knowlog.documents.port import BlobStore
from knowlog.documents.receiving import check_metadata
from knowlog.documents.settings import DocumentsSettings
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict, Invalid, LimitReached, NotFound, TooLarge
from knowlog.tenants import LimitsSettings, allowance, check, hold_within, key_of

LEAST_PIECE_BYTES = 64 * 1024
"""Of every piece but the last: many small ones cost more than what they hold."""
MOST_UNFINISHED = 100
"""Of one member or key."""
_STREAM_BYTES = 1024 * 1024
_SQL = load_queries("knowlog.documents", "pieces.sql")
_ABSENT = "You have no such upload: it is finished for long, was given up, or ran out of time. Begin it anew."


@dataclass(frozen=True, slots=True)
class PartialUpload:
    """A file on its way: the first `received` of `size_bytes` bytes are kept. `described`: what was said of it. `taken`:
    what became of it once it was whole.
    """

    upload_id: UUID
    collection_id: UUID
    described: dict[str, Any]
    size_bytes: int
    received: int
    taken: dict[str, Any] | None
    updated_at: datetime


class Pieces:
    """Keeps what comes of uploads."""

    def __init__(self, blobs: BlobStore, settings: DocumentsSettings, limits: LimitsSettings) -> None:
        self._blobs = blobs
        self._settings = settings
        self._limits = limits

    async def begun(
        self, connection: Connection, scope: Scope, collection: str, described: Mapping[str, Any], size_bytes: int,
        fingerprint: str | None,
    ) -> PartialUpload | None:  # fmt: skip
        """Return the caller's unfinished upload of the same file, by a fingerprint that the client makes; None for none.

        Raises NotFound for the collection, Forbidden.
        """
        await _call(connection, scope)
        collection_id = await hold_collection(connection, scope, collection)
        if fingerprint is None:
            return None
        digest = _digest(fingerprint, described, size_bytes)
        return _upload(await connection.fetchrow(_SQL["begun"], collection_id, digest))

    async def begin(
        self, connection: Connection, scope: Scope, collection: str, described: Mapping[str, Any], size_bytes: int,
        fingerprint: str | None,
    ) -> PartialUpload:  # fmt: skip
        """Begin an upload. Raises as `begun` does, Invalid, TooLarge, Conflict, and LimitReached where a file of this
        size has no room.
        """
        self._check(size_bytes, described)
        await self._require_room(connection, scope, size_bytes)
        await _call(connection, scope)
        collection_id = await hold_collection(connection, scope, collection)
        if await connection.fetchval(_SQL["count"]) >= MOST_UNFINISHED:
            raise Conflict(
                f"You have {MOST_UNFINISHED} unfinished uploads, the most there may be. Finish or delete one first."
                " `GET /v1/uploads` lists yours."
            )
        digest = _digest(fingerprint, described, size_bytes) if fingerprint else None
        made = await connection.fetchrow(
            _SQL["begin"], new_id(), collection_id, digest, dict(described), size_bytes
        )
        return _found(made or await connection.fetchrow(_SQL["begun"], collection_id, digest))

    async def find(self, connection: Connection, scope: Scope, upload_id: UUID) -> PartialUpload:
        """Return one of the caller's uploads. Raises NotFound."""
        await _call(connection, scope)
        return _found(await connection.fetchrow(_SQL["find"], upload_id))

    async def unfinished(self, connection: Connection, scope: Scope) -> list[PartialUpload]:
        """List the caller's uploads that are not whole, the one that was gone on with last first."""
        await _call(connection, scope)
        return [PartialUpload(**row) for row in await connection.fetch(_SQL["list"])]

    async def expect(
        self, connection: Connection, scope: Scope, upload_id: UUID, offset: int, size_bytes: int
    ) -> PartialUpload:
        """Return an upload that goes on at `offset`; before a byte is read. `size_bytes`: of what is announced.

        Raises NotFound, Conflict where it goes on elsewhere, TooLarge, LimitReached.
        """
        upload = await self.find(connection, scope, upload_id)
        if upload.received != offset:
            raise _elsewhere(offset, upload.received)
        if offset + size_bytes > upload.size_bytes:
            raise over(upload)
        if size_bytes:
            await self._require_room(connection, scope, size_bytes)
        return upload

    async def add(
        self, database: Database, scope: Scope, upload: PartialUpload, piece: Content
    ) -> PartialUpload:
        """Keep a piece that is not the last. When this returns, it survives a crash.

        Raises Conflict where another piece was quicker, Invalid for one that is too small, LimitReached, Unavailable.
        """
        size = size_of(piece)
        if size < LEAST_PIECE_BYTES:
            raise Invalid(
                f"A piece has {LEAST_PIECE_BYTES:,} bytes or more, but for the last. Nothing was kept; send larger ones."
            )
        blob = f"{scope.tenant_id}/{upload.upload_id}/{upload.received}-{new_id().hex[-8:]}"
        await self._blobs.put({blob: piece})
        try:
            async with database.transaction(scope) as connection:
                later = await self._advance(connection, scope, upload, size)
                await connection.execute(_SQL["add_piece"], upload.upload_id, upload.received, size, blob)
                allowed = await allowance(connection, self._limits, key_of(scope))
                await hold_within(connection, allowed, ("stored_bytes",))
        except (Conflict, LimitReached, NotFound):
            await self._blobs.delete([blob])
            raise
        return later

    async def kept(self, database: Database, scope: Scope, upload: PartialUpload) -> AsyncIterator[bytes]:
        """Yield what is kept of an upload. Raises NotFound, Unavailable."""
        async with database.transaction(scope) as connection:
            await _call(connection, scope)
            blobs = [row["blob"] for row in await connection.fetch(_SQL["pieces"], upload.upload_id)]
        for blob in blobs:
            async for piece in self._blobs.stream(blob, _STREAM_BYTES):
                yield piece

    async def finish(
        self, connection: Connection, scope: Scope, upload: PartialUpload, size_bytes: int
    ) -> list[str]:
        """The last `size_bytes` are here: in the transaction that takes the whole file in, the pieces are let go. Returns
        where they lie, to be removed once it is committed. Raises Conflict where another was quicker.
        """
        await self._advance(connection, scope, upload, size_bytes)
        return [row["blob"] for row in await connection.fetch(_SQL["drop_pieces"], upload.upload_id)]

    async def note(self, connection: Connection, upload: PartialUpload, taken: Mapping[str, Any]) -> None:
        """Note what became of the file, in the same transaction."""
        await connection.execute(_SQL["take"], upload.upload_id, dict(taken))

    async def drop(self, database: Database, scope: Scope, upload_id: UUID) -> None:
        """Give an upload up, with what is kept of it. Raises NotFound."""
        async with database.transaction(scope) as connection:
            await _call(connection, scope)
            blobs = [row["blob"] for row in await connection.fetch(_SQL["drop_pieces"], upload_id)]
            if await connection.fetchval(_SQL["drop"], upload_id) is None:
                raise NotFound(_ABSENT)
        await self._blobs.delete(blobs)

    async def remove(self, blobs: list[str]) -> None:
        """Remove pieces that belong to nothing any more. Those that stay because of a crash are swept away."""
        await self._blobs.delete(blobs)

    def expires_at(self, upload: PartialUpload) -> datetime:
        """When it is forgotten, unless it is gone on with."""
        return upload.updated_at + timedelta(hours=self._settings.upload_keep_hours)

    async def _advance(
        self, connection: Connection, scope: Scope, upload: PartialUpload, size_bytes: int
    ) -> PartialUpload:
        await _call(connection, scope)
        row = await connection.fetchrow(_SQL["go_on"], upload.upload_id, upload.received, size_bytes)
        if row is None:
            present = _found(await connection.fetchrow(_SQL["find"], upload.upload_id))
            raise _elsewhere(upload.received, present.received)
        return _found(row)

    async def _require_room(self, connection: Connection, scope: Scope, size_bytes: int) -> None:
        allowed = await allowance(connection, self._limits, key_of(scope))
        await check(connection, allowed, ("stored_bytes", "upload_bytes_per_day"), size_bytes)

    def _check(self, size_bytes: int, described: Mapping[str, Any]) -> None:
        if size_bytes < 1:
            raise Invalid("The file is empty. Send one that has content.")
        if size_bytes > self._settings.max_upload_bytes:
            raise TooLarge(
                f"A file may have {self._settings.max_upload_mb} MB here (KNOWLOG_DOCUMENTS_MAX_UPLOAD_MB)."
                " Divide it into smaller files, or ask the operator to raise it.",
                limit_bytes=self._settings.max_upload_bytes,
            )
        check_metadata(described.get("metadata"), self._settings.max_metadata_kb)


def over(upload: PartialUpload) -> TooLarge:
    """The refusal of more bytes than were announced."""
    return TooLarge(
        f"The upload was begun with {upload.size_bytes:,} bytes, and this leads beyond. Nothing was kept; send what is"
        f" left, from byte {upload.received:,} on."
    )


async def _call(connection: Connection, scope: Scope) -> None:
    await connection.execute(_SQL["call"], scope.principal)


def _digest(fingerprint: str, described: Mapping[str, Any], size_bytes: int) -> str:
    """What says something else of a file, or of another size, is not the same upload."""
    return sha256(orjson.dumps([fingerprint, described, size_bytes], option=orjson.OPT_SORT_KEYS)).hexdigest()


def _elsewhere(offset: int, received: int) -> Conflict:
    return Conflict(
        f"The upload goes on at byte {received:,}, not at {offset:,}. Ask where it stands (HEAD), and go on from there.",
        received_bytes=received,
    )


def _upload(row: Any) -> PartialUpload | None:
    return None if row is None else PartialUpload(**row)


def _found(row: Any) -> PartialUpload:
    if row is None:
        raise NotFound(_ABSENT)
    return PartialUpload(**row)
