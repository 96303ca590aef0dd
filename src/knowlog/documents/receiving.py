"""Take documents in: bytes, document, version and the event that asks for indexing, all or nothing."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import orjson

from knowlog.bus import append_events, notify_progress
from knowlog.database import Connection, Scope, load_queries
from knowlog.documents.access import Audience, limit_documents
from knowlog.documents.actions import get_documents, index_again
from knowlog.documents.collections import hold_collection
from knowlog.documents.content import sha256_of, size_of
from knowlog.documents.model import Received, Upload
from knowlog.documents.port import BlobStore
from knowlog.documents.room import Room
from knowlog.documents.settings import DocumentsSettings
from knowlog.kernel import new_id
from knowlog.kernel.errors import Invalid, LimitReached, TooLarge
from knowlog.kernel.nesting import MOST_LEVELS, holds_nul, too_deep
from knowlog.tenants import (
    STORING,
    Allowance,
    LimitsSettings,
    allowance,
    hold_within,
    key_of,
    require_within,
    spend,
)

_SQL = load_queries("knowlog.documents")
_AWAKE_S = 5.0
"""Shorter than a transaction may stand still."""
_Outcome = Literal["created", "updated", "relabelled", "unchanged"]


@dataclass(frozen=True, slots=True)
class _Incoming:
    upload: Upload
    document_id: UUID
    version: int
    content_hash: bytes
    blob: str


class Receiver:
    """Takes uploads in. When `receive` returns, they survive a crash."""

    def __init__(
        self, blobs: BlobStore, settings: DocumentsSettings, limits: LimitsSettings | None = None
    ) -> None:
        self._blobs = blobs
        self._settings = settings
        self._limits = limits or LimitsSettings.model_validate({})
        self.room = Room(blobs, settings)

    async def receive(
        self, connection: Connection, scope: Scope, collection: str, uploads: Sequence[Upload]
    ) -> list[Received]:
        """Take `uploads` into a collection, in the caller's transaction: all of them or none.

        Identity is the external id: other bytes become a new version, which replaces the old one when it is
        indexed. The same bytes again are not indexed again, also when they have failed (`retry_document` is for
        that): at most, title and metadata are taken over, and a new title has its version indexed again. Raises
        NotFound for the collection, Invalid, TooLarge, LimitReached, Unavailable.
        """
        for upload in uploads:
            self.check(upload)
        _check_distinct(uploads)
        collection_id = await hold_collection(connection, scope, collection)
        known = await self._known(connection, collection_id, uploads)
        new, renewed, unchanged = _sort_out(scope, uploads, known)
        if not await self._insert(connection, collection_id, new):  # a twin was quicker: now it is known
            await connection.execute(_SQL["withdraw_documents"], [item.document_id for item in new])
            return await self.receive(connection, scope, collection, uploads)
        await self._renew(connection, renewed)
        allowed = await self._store(connection, scope, (*new, *renewed))
        relabelled, retitled = await _relabel(connection, scope, unchanged)
        kept = [(upload, document_id) for document_id, upload in unchanged.values()]
        taken = [(item.upload, item.document_id) for item in (*new, *renewed)]
        await _limit(connection, scope, [*taken, *kept])
        jobs = await self._announce(connection, scope, collection_id, (*new, *renewed))
        await self._hold(connection, allowed, (*new, *renewed))
        outcomes: dict[str, tuple[UUID, _Outcome]] = {
            **{item.upload.external_id: (item.document_id, "created") for item in new},
            **{item.upload.external_id: (item.document_id, "updated") for item in renewed},
            **{
                name: (document_id, "relabelled" if name in relabelled else "unchanged")
                for name, (document_id, _) in unchanged.items()
            },
        }
        return await _answer(connection, scope, uploads, outcomes, jobs | retitled)

    def check(self, upload: Upload) -> None:
        """Raise Invalid or TooLarge for an upload that cannot be taken."""
        if not 1 <= len(upload.external_id) <= 2000 or "\x00" in upload.external_id:
            raise Invalid("An external id has 1 to 2,000 characters and no NUL.")
        if "\x00" in f"{upload.filename}{upload.media_type or ''}{upload.title or ''}":
            raise Invalid("A filename, a media type and a title cannot hold the NUL character.")
        size_bytes = size_of(upload.content)
        if not size_bytes:
            raise Invalid(f"{upload.filename!r} is empty. Send a file that has content.")
        if size_bytes > self._settings.max_upload_bytes:
            raise TooLarge(
                f"{upload.filename!r} is larger than {self._settings.max_upload_mb} MB, the limit here"
                " (KNOWLOG_DOCUMENTS_MAX_UPLOAD_MB). Divide it into smaller files, or ask the operator to raise it."
            )
        if upload.title is not None and not 1 <= len(upload.title) <= 1000:
            raise Invalid("A title has 1 to 1,000 characters.")
        check_metadata(upload.metadata, self._settings.max_metadata_kb)

    async def _known(
        self, connection: Connection, collection_id: UUID, uploads: Sequence[Upload]
    ) -> dict[str, Any]:
        """By external id. Of several that have a name, because whoever sent one could not see the other, the oldest."""
        names = sorted({upload.external_id for upload in uploads})
        rows = await connection.fetch(_SQL["lock_documents"], collection_id, names)
        return {row["external_id"]: row for row in sorted(rows, key=lambda row: -row["shadow"])}

    async def _insert(self, connection: Connection, collection_id: UUID, new: Sequence[_Incoming]) -> bool:
        """Insert new documents; False when another transaction has made one of them meanwhile."""
        if not new:
            return True
        made = await connection.fetch(
            _SQL["insert_documents"], collection_id, [item.document_id for item in new],
            [item.upload.external_id for item in new], [item.upload.title or item.upload.filename for item in new],
            [item.upload.title is not None for item in new], [item.upload.metadata or {} for item in new],
        )  # fmt: skip
        if len(made) != len(new):
            return False
        await _insert_versions(connection, new)
        return True

    async def _renew(self, connection: Connection, renewed: Sequence[_Incoming]) -> None:
        if not renewed:
            return
        await connection.execute(
            _SQL["renew_documents"], [item.document_id for item in renewed],
            [item.upload.title for item in renewed], [item.upload.metadata for item in renewed],
        )  # fmt: skip
        await _insert_versions(connection, renewed)

    async def _store(
        self, connection: Connection, scope: Scope, items: Sequence[_Incoming]
    ) -> Allowance | None:
        """Store the bytes of what has been written, unless the tenant has used up its limits: that is to cost no disk.

        Returns what is allowed; None where there is nothing to store.
        """
        if not items:
            return None
        allowed = await allowance(connection, self._limits, key_of(scope))
        size = sum(size_of(item.upload.content) for item in items)
        await spend(connection, "upload_bytes", size, key_of(scope))
        await require_within(connection, allowed, STORING)
        puts = self._blobs.put({item.blob: item.upload.content for item in items})
        await _awake_during(connection, puts)
        return allowed

    async def _hold(
        self, connection: Connection, allowed: Allowance | None, items: Sequence[_Incoming]
    ) -> None:
        """Hold the transaction against the limits exactly: what others of the tenant do at the same time comes before or
        after. Last of all, so that they wait for little.
        """
        try:
            if allowed is not None:
                await hold_within(connection, allowed, STORING)
        except LimitReached:
            await self._blobs.delete([item.blob for item in items])
            raise

    async def _announce(
        self, connection: Connection, scope: Scope, collection_id: UUID, items: Sequence[_Incoming]
    ) -> dict[UUID, UUID]:
        events = [(item.document_id, _received(collection_id, item)) for item in items]
        jobs = await append_events(connection, "document.received", events)
        for item in items:
            if item.version > 1:
                await notify_progress(connection, scope.tenant_id, item.document_id)
        return {item.document_id: job for item, job in zip(items, jobs, strict=True)}


async def _awake_during(connection: Connection, work: Coroutine[Any, Any, None]) -> None:
    """Wait for work that may take long, and use the transaction meanwhile: one that stands still is ended."""
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait([task], timeout=_AWAKE_S))[0]:
            await connection.execute("select 1")
        await task
    finally:
        task.cancel()


def _received(collection_id: UUID, item: _Incoming) -> dict[str, Any]:
    return {
        "collection_id": collection_id,
        "version": item.version,
        "size_bytes": size_of(item.upload.content),
    }


def check_metadata(metadata: dict[str, Any] | None, max_kb: int) -> None:
    """Raise Invalid for metadata that is too large, nested too deep, or holds a NUL character."""
    if metadata is None:
        return
    if too_deep(metadata):
        raise Invalid(f"The metadata is nested more than {MOST_LEVELS} levels deep. Keep it flat.")
    raw = orjson.dumps(metadata)
    if len(raw) > max_kb * 1024:
        raise Invalid(
            f"The metadata has more than {max_kb} kB. Keep what you filter by; the rest belongs in the text."
        )
    if holds_nul(raw):
        raise Invalid("Metadata cannot hold the NUL character.")


def _check_distinct(uploads: Sequence[Upload]) -> None:
    seen: set[str] = set()
    for upload in uploads:
        if upload.external_id in seen:
            raise Invalid(f"{upload.external_id!r} occurs twice in one request. Send each document once.")
        seen.add(upload.external_id)


def _sort_out(
    scope: Scope, uploads: Sequence[Upload], known: dict[str, Any]
) -> tuple[list[_Incoming], list[_Incoming], dict[str, tuple[UUID, Upload]]]:
    """Tell new documents from renewed and unchanged ones."""
    new, renewed = [], []
    unchanged: dict[str, tuple[UUID, Upload]] = {}
    for upload in uploads:
        digest = sha256_of(upload.content)
        row = known.get(upload.external_id)
        if row is None:
            new.append(_incoming(scope, upload, new_id(), 1, digest))
        elif row["content_hash"] != digest or _another_try(row, upload):
            renewed.append(_incoming(scope, upload, row["document_id"], row["latest"] + 1, digest))
        else:
            unchanged[upload.external_id] = (row["document_id"], upload)
    return new, renewed, unchanged


def _another_try(row: Any, upload: Upload) -> bool:
    """Whether a failed document comes as another kind of file, by which its bytes may be readable after all."""
    kind = (upload.filename, upload.media_type)
    return row["state"] == "failed" and kind != (row["filename"], row["media_type"])


def _incoming(scope: Scope, upload: Upload, document_id: UUID, version: int, digest: bytes) -> _Incoming:
    return _Incoming(
        upload, document_id, version, digest, f"{scope.tenant_id}/{document_id}/{version}-{new_id().hex[-8:]}"
    )


async def _insert_versions(connection: Connection, items: Sequence[_Incoming]) -> None:
    await connection.execute(
        _SQL["insert_versions"], [item.document_id for item in items], [item.version for item in items],
        [item.blob for item in items], [item.content_hash for item in items],
        [size_of(item.upload.content) for item in items], [item.upload.filename for item in items],
        [item.upload.media_type for item in items],
    )  # fmt: skip


async def _relabel(
    connection: Connection, scope: Scope, unchanged: dict[str, tuple[UUID, Upload]]
) -> tuple[set[str], dict[UUID, UUID]]:
    """The same bytes with another title or other metadata: those are taken over. A new title is to be indexed.

    Returns the external ids of the documents that this has changed, and the jobs of those with a new title.
    """
    relabelled, retitled = set(), []
    for name, (document_id, upload) in unchanged.items():
        if upload.title is None and upload.metadata is None:
            continue
        row = await connection.fetchrow(_SQL["relabel_document"], document_id, upload.title, upload.metadata)
        if row is not None:
            relabelled.add(name)
            retitled += [document_id] if row["retitled"] else []
    documents = await get_documents(connection, scope, retitled)
    return relabelled, {
        document.document_id: await index_again(connection, scope, document) for document in documents
    }


async def _limit(connection: Connection, scope: Scope, items: Sequence[tuple[Upload, UUID]]) -> None:
    """Give documents the lists that came with them, before anybody can have seen them without."""
    by_list: dict[Audience, list[UUID]] = {}
    for upload, document_id in items:
        if upload.audience is not None:
            by_list.setdefault(upload.audience, []).append(document_id)
    for wanted, documents in by_list.items():
        await limit_documents(connection, scope, documents, wanted)


async def _answer(
    connection: Connection, scope: Scope, uploads: Sequence[Upload], outcomes: dict[str, tuple[UUID, _Outcome]],
    jobs: dict[UUID, UUID],
) -> list[Received]:  # fmt: skip
    ids = [document_id for document_id, _ in outcomes.values()]
    documents = {document.document_id: document for document in await get_documents(connection, scope, ids)}
    answers = []
    for upload in uploads:
        document_id, outcome = outcomes[upload.external_id]
        answers.append(Received(documents[document_id], outcome, jobs.get(document_id)))
    return answers
