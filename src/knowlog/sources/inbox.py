"""The inbox takes messages in, each once: what it has done is written in the transaction of the effect."""

import asyncio
import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any
from uuid import UUID

from knowlog.bus import Delivery, DocumentSubmitted, DocumentWithdrawn
from knowlog.database import Connection, Database, Scope
from knowlog.documents import BlobStore, Receiver, Upload, head_of, size_of
from knowlog.formats import Source as File
from knowlog.formats import detect
from knowlog.ingestion import delete_within
from knowlog.kernel.errors import (
    Conflict,
    Invalid,
    KnowlogError,
    LimitReached,
    StorageFull,
    TooLarge,
    Unavailable,
    UnsupportedType,
)
from knowlog.kernel.places import Places
from knowlog.sources.actions import SQL
from knowlog.sources.dead import bury, delivery_of, locked
from knowlog.sources.model import Incoming, Inlet, SourceLost, Taken, Unfit
from knowlog.sources.reading import read_message
from knowlog.sources.settings import SourcesSettings
from knowlog.stores import VectorStore
from knowlog.tenants import record

_LOG = logging.getLogger("knowlog.sources")
_WAITS = (Unavailable, StorageFull, LimitReached, SourceLost)
"""What is wrong with us or for now, never with the message."""
_HEAD_BYTES = 64 * 1024
_FETCHES = 32
_FETCHES_OF_A_TENANT = 4
"""A tenant whose URLs are slow waits for itself alone."""
_SMALL_BYTES = 4 * 2**20
_LARGE_AT_ONCE = 4
"""Larger documents by URL are in memory one of each tenant, and so many in all, until they are stored."""
_TOGETHER_BYTES = 32 * 2**20
_FRESH_S = 2.0
Fetch = Callable[[str, int | None], Awaitable[tuple[bytes, str, str | None]]]
"""Fetches a URL: content of at most so many bytes (None: of an upload), filename, media type. Raises KnowlogError."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A message that may be taken: what it says, and the upload that comes of it; None where a document is withdrawn."""

    delivery: Delivery
    incoming: Incoming
    upload: Upload | None


@dataclass(frozen=True, slots=True)
class _Refused:
    """A message that becomes a dead letter."""

    delivery: Delivery
    unfit: Unfit


_Item = _Ready | _Refused


class _Large(Exception):
    """What a URL gives is not to be held together with others."""


class Inbox:
    """Takes messages of sources in. When `take` returns, they survive a crash: documents, deletions, dead letters."""

    def __init__(
        self, database: Database, blobs: BlobStore, receiver: Receiver, store: VectorStore, fetch: Fetch,
        settings: SourcesSettings,
    ) -> None:  # fmt: skip
        self._database, self._blobs, self._receiver, self._store = database, blobs, receiver, store
        self._fetch = fetch
        self._settings = settings
        self._most_bytes = settings.max_message_mb * 2**20
        self._fetching = Places(_FETCHES, _FETCHES_OF_A_TENANT)
        self._large = Places(_LARGE_AT_ONCE, 1)
        self._looked: dict[UUID, float] = {}

    async def require_room(self, inlet: Inlet) -> None:
        """Raise LimitReached or StorageFull when nothing more should be taken for now. Looks every two seconds."""
        if monotonic() - self._looked.get(inlet.source_id, -_FRESH_S) < _FRESH_S:
            return
        scope, most = scope_of(inlet), self._settings.max_dead
        await self._receiver.room.require(self._database, scope)
        async with self._database.transaction(scope) as connection:
            count = await connection.fetchval(SQL["count_dead"], inlet.source_id, most)
        if count >= most:
            raise LimitReached(
                f"The source has {most:,} dead letters, which is the limit. Replay or delete some; then it goes on."
            )
        self._looked[inlet.source_id] = monotonic()

    async def take(self, inlet: Inlet, deliveries: Sequence[Delivery], reader: str | None) -> Taken:
        """Take the first of these messages, in their order and in one transaction: as many as memory bears together with
        what their URLs give. What does not fit becomes a dead letter.

        When the transaction fails for a reason that is not of the moment, each message has one of its own, so that one
        does not spoil the others. Raises Unavailable, StorageFull, LimitReached, SourceLost: then none was taken.
        """
        if items := await self._read_first(inlet, deliveries):
            return await self._take_together(inlet, items, reader)
        async with self._large.of(inlet.tenant_id):
            return await self._take_together(inlet, [await self._read(inlet, deliveries[0])], reader)

    async def _read_first(self, inlet: Inlet, deliveries: Sequence[Delivery]) -> list[_Item]:
        """Read messages up to the first that gives a large document; none where that is the first of all."""
        items: list[_Item] = []
        for start in range(0, len(deliveries), _FETCHES_OF_A_TENANT):
            if sum(map(_size, items)) > _TOGETHER_BYTES:
                break
            few = deliveries[start : start + _FETCHES_OF_A_TENANT]
            for item in await asyncio.gather(*(self._read_small(inlet, each) for each in few)):
                if item is None:
                    return items
                items.append(item)
        return items

    async def _read_small(self, inlet: Inlet, delivery: Delivery) -> _Item | None:
        try:
            return await self._read(inlet, delivery, _SMALL_BYTES)
        except _Large:
            return None

    async def _take_together(self, inlet: Inlet, items: Sequence[_Item], reader: str | None) -> Taken:
        try:
            return await self._take(inlet, items, reader)
        except _WAITS:
            raise
        except Exception:
            _LOG.warning("a batch of %s is taken one by one", inlet.name, exc_info=True)
        done = [await self._take_alone(inlet, item, reader) for item in items]
        return Taken(*map(sum, zip(*((t.taken, t.repeated, t.dead, t.messages) for t in done), strict=True)))

    async def replay(self, scope: Scope, dead_letter_id: UUID) -> None:
        """Take a dead letter, as its source is now. Raises NotFound, Conflict when that was done, Invalid with what is
        still wrong with it.
        """
        async with self._database.transaction(scope) as connection:
            row = await locked(connection, scope, dead_letter_id)
            inlet = _inlet_of(scope, row)
        # What it names may be fetched from far away: no transaction waits for that.
        item = await self._read(inlet, await delivery_of(self._blobs, row))
        refused = [item] if isinstance(item, _Refused) else []
        async with self._database.transaction(scope) as connection:
            if _inlet_of(scope, await locked(connection, scope, dead_letter_id)) != inlet:
                raise Conflict("The source was changed in the meantime. Replay again.")
            if isinstance(item, _Ready):
                fresh, _, refused = await self._register(connection, inlet, [item])
                await self._perform(connection, inlet, fresh)
                await connection.execute(SQL["count_replayed"], inlet.source_id)
            if refused:
                raise Invalid(refused[0].unfit.cause)
            await connection.execute(SQL["replayed"], dead_letter_id)
            await record(connection, scope, "dead_letter.replayed", f"dead_letter:{dead_letter_id}")

    async def _read(self, inlet: Inlet, delivery: Delivery, most_bytes: int | None = None) -> _Item:
        """Raises _Large where `most_bytes` are given and a URL gives more."""
        found = read_message(delivery, inlet, self._most_bytes)
        if isinstance(found, Unfit):
            return _Refused(delivery, found)
        try:
            if isinstance(found.data, DocumentWithdrawn):
                return _Ready(delivery, found, None)
            upload = await self._upload(inlet, found.data, most_bytes)
            self._receiver.check(upload)
            _refuse_unsupported(upload)
            return _Ready(delivery, found, upload)
        except _WAITS:
            raise
        except KnowlogError as error:
            return _Refused(delivery, Unfit(error.detail, found.message_id))

    async def _upload(self, inlet: Inlet, data: DocumentSubmitted, most_bytes: int | None) -> Upload:
        name, media_type = data.filename or _filename(data.external_id), data.media_type
        if data.text is not None:
            content, media_type = data.text.encode(), media_type or "text/plain"
            name = data.filename or (name if name.endswith((".txt", ".md")) else f"{name}.txt")
        elif data.content_base64 is not None:
            content = _decoded(data.content_base64)
        else:
            content, named, told = await self._fetched(inlet, str(data.url), most_bytes)
            name, media_type = data.filename or named, media_type or told
        return Upload(data.external_id, name, content, media_type, data.title, data.metadata)

    async def _fetched(self, inlet: Inlet, url: str, most_bytes: int | None) -> tuple[bytes, str, str | None]:
        async with self._fetching.of(inlet.tenant_id):
            try:
                return await self._fetch(url, most_bytes)
            except TooLarge as error:
                if most_bytes is None:
                    raise
                raise _Large from error

    async def _take_alone(self, inlet: Inlet, item: _Item, reader: str | None) -> Taken:
        try:
            return await self._take(inlet, [item], reader)
        except _WAITS:
            raise
        except Exception as error:
            cause = error.detail if isinstance(error, KnowlogError) else f"A fault of ours: {error!r}."
            known = item.incoming.message_id if isinstance(item, _Ready) else item.unfit.message_id
            return await self._take(inlet, [_Refused(item.delivery, Unfit(cause, known))], reader)

    async def _take(self, inlet: Inlet, items: Sequence[_Item], reader: str | None) -> Taken:
        async with self._database.transaction(scope_of(inlet)) as connection:
            ready = [each for each in items if isinstance(each, _Ready)]
            fresh, repeated, conflicting = await self._register(connection, inlet, ready)
            await self._perform(connection, inlet, fresh)
            pairs = _as_they_came(items, conflicting)
            done = Taken(len(fresh), repeated, await bury(connection, self._blobs, inlet, pairs), len(items))
            ours = await connection.fetchval(
                SQL["count"],
                inlet.source_id,
                inlet.collection_id,
                reader,
                done.taken,
                done.repeated,
                done.dead,
            )
            if not ours:
                raise SourceLost
        return done

    async def _register(
        self, connection: Connection, inlet: Inlet, ready: Sequence[_Ready]
    ) -> tuple[list[_Ready], int, list[_Refused]]:
        """Note messages in the inbox. Returns the new ones, how many came again, and those whose id is another's."""
        first: dict[tuple[str, str], _Ready] = {}
        for each in ready:
            first.setdefault(each.incoming.key, each)
        if not first:
            return [], 0, []
        producers, ids = zip(*first, strict=True)
        hashes = [each.incoming.content_hash for each in first.values()]
        rows = await connection.fetch(SQL["register"], inlet.source_id, producers, ids, hashes)
        new = {(row["producer"], row["message_id"]) for row in rows}
        rows = await connection.fetch(SQL["registered"], inlet.source_id, producers, ids)
        known = {(row["producer"], row["message_id"]): row["content_hash"] for row in rows}
        fresh = [each for key, each in first.items() if key in new]
        conflicting = [
            _Refused(each.delivery, _same_id(each)) for each in ready
            if known.get(each.incoming.key) != each.incoming.content_hash
        ]  # fmt: skip
        return fresh, len(ready) - len(fresh) - len(conflicting), conflicting

    async def _perform(self, connection: Connection, inlet: Inlet, fresh: Sequence[_Ready]) -> None:
        """Receive and delete in the order of the messages: as many at once as are different documents."""
        run: dict[str, _Ready] = {}
        for each in fresh:
            name = each.incoming.data.external_id
            if each.upload is None or name in run:
                await self._receive(connection, inlet, run)
                run = {}
            if each.upload is None:
                await self._withdraw(connection, inlet, name)
            else:
                run[name] = each
        await self._receive(connection, inlet, run)

    async def _receive(self, connection: Connection, inlet: Inlet, run: dict[str, _Ready]) -> None:
        uploads = [each.upload for each in run.values() if each.upload is not None]
        if uploads:
            await self._receiver.receive(connection, scope_of(inlet), str(inlet.collection_id), uploads)

    async def _withdraw(self, connection: Connection, inlet: Inlet, external_id: str) -> None:
        rows = await connection.fetch(SQL["documents"], inlet.collection_id, [external_id])
        for row in rows:
            await delete_within(connection, self._store, scope_of(inlet), row["document_id"])


def scope_of(inlet: Inlet) -> Scope:
    """As whom a source acts: within its tenant, named in the record."""
    return Scope(inlet.tenant_id, f"source:{inlet.source_id}")


def _as_they_came(items: Sequence[_Item], conflicting: Sequence[_Refused]) -> list[tuple[Delivery, Unfit]]:
    """What is buried, in the order of the messages: so it is replayed."""
    refused = {id(each.delivery): each for each in items if isinstance(each, _Refused)}
    refused |= {id(each.delivery): each for each in conflicting}
    found = [refused[id(each.delivery)] for each in items if id(each.delivery) in refused]
    return [(each.delivery, each.unfit) for each in found]


def _size(item: _Item) -> int:
    """The bytes of the document that a message brings."""
    return size_of(item.upload.content) if isinstance(item, _Ready) and item.upload is not None else 0


def _same_id(item: _Ready) -> Unfit:
    return Unfit(
        "A message with this id was taken before and said something else. Give every message an id of its own.",
        item.incoming.message_id,
    )


def _filename(external_id: str) -> str:
    return external_id.rstrip("/").rpartition("/")[2][:1000] or "document"


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("content_base64 is not base64 (RFC 4648, with padding).") from error


def _refuse_unsupported(upload: Upload) -> None:
    """Refuse at once what no reader takes, as an upload is. What is damaged is a worker's to find out."""
    try:
        detect(File(head_of(upload.content, _HEAD_BYTES), upload.filename, upload.media_type))
    except UnsupportedType:
        raise
    except KnowlogError:
        return


def _inlet_of(scope: Scope, row: Any) -> Inlet:
    """The source of a dead letter as it is now. Raises Conflict where there is nothing to be replayed, or nowhere."""
    if row["replayed_at"] is not None:
        raise Conflict("The dead letter was replayed already; its document is there.")
    if row["collection_id"] is None:
        raise Conflict("The source has no collection. Give it one, then replay.")
    return Inlet(
        scope.tenant_id, row["source_id"], row["name"], row["kind"], row["topic"], row["collection_id"], row["format"],
        row["mapping"],
    )  # fmt: skip
