"""Uploads in pieces, by the protocol tus 1.0 (https://tus.io/protocols/resumable-upload): core, creation, expiration and
termination. A connection that breaks, or a server that dies, costs one piece at most.
"""

import binascii
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response

from knowlog.api.dependencies import AsEditor, CollectionName, Route, TheApp, as_json, reply
from knowlog.api.incoming import (
    Described,
    clean_filename,
    describe,
    gather,
    gather_what_comes,
    refuse_unsupported,
)
from knowlog.api.model import Body, Listing, problems
from knowlog.api.uploads import Accepted, admit, take_in
from knowlog.bootstrap import App
from knowlog.documents import LEAST_PIECE_BYTES, Content, PartialUpload, Upload, over, pieces_of, size_of
from knowlog.edge import Metrics
from knowlog.kernel.errors import BadRequest, Invalid, KnowlogError, NotFound, UnsupportedType
from knowlog.tenants import Principal

router = APIRouter(prefix="/v1", tags=["documents"], route_class=Route, responses=problems())

_TUS = "1.0.0"
_PIECE_TYPE = "application/offset+octet-stream"
_PLAIN_TYPE = "application/octet-stream"
"""Taken as well, and described: what makes clients of the OpenAPI document knows it."""
_KNOWN = ("filename", "filetype", "external_id", "title", "metadata", "access", "fingerprint")
_MOST_BYTES = 2**53

Resumable = Annotated[str | None, Header(alias="Tus-Resumable", description="1.0.0, or absent.")]
Length = Annotated[
    int, Header(alias="Upload-Length", ge=1, le=_MOST_BYTES, description="Bytes of the whole file.")
]
Offset = Annotated[
    int, Header(alias="Upload-Offset", ge=0, le=_MOST_BYTES, description="Where the piece begins.")
]
Metadata = Annotated[
    str,
    Header(
        alias="Upload-Metadata",
        max_length=8000,
        description="Names, each with its value in base64, with commas: filename or external_id, and filetype, title,"
        " metadata (a JSON object), access (ids with commas), fingerprint.",
    ),
]


class OtherVersion(KnowlogError):
    """Tus-Resumable names a version of the protocol that is not spoken here."""

    status: ClassVar[int] = 412
    code: ClassVar[str] = "other-version"


class UploadState(Body):
    """How far an upload in pieces is. `taken`, once the file is whole: what became of the document."""

    upload_id: UUID
    collection_id: UUID
    external_id: str
    filename: str
    size_bytes: int
    received_bytes: int
    expires_at: datetime
    taken: Accepted | None


@router.options(
    "/collections/{collection}/uploads",
    status_code=204,
    response_class=Response,
    summary="Ask what uploads may do",
)
async def options(collection: CollectionName, caller: AsEditor, app: TheApp) -> Response:
    """Tell which version and extensions of tus are spoken, and how large a file may be."""
    headers = {
        "Tus-Version": _TUS,
        "Tus-Extension": "creation,expiration,termination",
        "Tus-Max-Size": str(app.settings.documents.max_upload_bytes),
    }
    return Response(status_code=204, headers={"Tus-Resumable": _TUS, **headers})


@router.post(
    "/collections/{collection}/uploads",
    status_code=201,
    response_model=UploadState,
    responses=problems(404, 409, 412, 413, 415, 507),
    summary="Begin an upload in pieces",
)
async def begin(
    collection: CollectionName,
    request: Request,
    caller: AsEditor,
    app: TheApp,
    length: Length,
    told: Metadata,
    resumable: Resumable = None,
) -> Response:
    """Begin to send a large file in pieces. `Location` is where they go (PATCH), and where it is asked how far it is
    (HEAD). With the `fingerprint` of an upload that you have begun and not finished, in the same collection and with the
    same words, that one is gone on with.
    """
    _check_version(resumable)
    described, fingerprint = _described(told, caller)
    args = (caller.scope, collection, described, length, fingerprint)
    async with app.database.transaction(caller.scope) as connection:
        upload = await app.pieces.begun(connection, *args)
    if upload is None:
        await admit(request, caller, 1)
        await app.receiver.room.require(app.database, caller.scope)
        async with app.database.transaction(caller.scope) as connection:
            upload = await app.pieces.begin(connection, *args)
    headers = {"Location": f"/v1/uploads/{upload.upload_id}", **_headers(app, upload)}
    return reply(_state(app, upload), 201, headers)


@router.get("/uploads", response_model=Listing[UploadState], summary="List your unfinished uploads")
async def listing(caller: AsEditor, app: TheApp) -> Response:
    """List all your uploads that are not whole, the one that was gone on with last first."""
    async with app.database.transaction(caller.scope) as connection:
        found = await app.pieces.unfinished(connection, caller.scope)
    return reply({"items": [_state(app, each) for each in found], "next_cursor": None})


@router.head(
    "/uploads/{upload_id:uuid}",
    response_class=Response,
    responses=problems(404, 412),
    summary="Ask where an upload stands",
)
async def stand(upload_id: UUID, caller: AsEditor, app: TheApp, resumable: Resumable = None) -> Response:
    """Say in `Upload-Offset` how many bytes are kept: there the next piece begins."""
    _check_version(resumable)
    return Response(status_code=200, headers=_headers(app, await _find(app, caller, upload_id)))


@router.get(
    "/uploads/{upload_id:uuid}",
    response_model=UploadState,
    responses=problems(404),
    summary="Show an upload in pieces",
)
async def show(upload_id: UUID, caller: AsEditor, app: TheApp) -> Response:
    """Show how far one of your uploads is and, once it is whole, what became of the document."""
    return reply(_state(app, await _find(app, caller, upload_id)))


@router.patch(
    "/uploads/{upload_id:uuid}",
    status_code=204,
    response_class=Response,
    responses=problems(404, 409, 412, 413, 415, 507),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {_PLAIN_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
    summary="Send the next piece",
)
async def go_on(
    upload_id: UUID,
    request: Request,
    caller: AsEditor,
    app: TheApp,
    offset: Offset,
    resumable: Resumable = None,
) -> Response:
    """Send the bytes from `Upload-Offset` on, as many as you like, and 64 kB or more. What is acknowledged is kept, also
    where a server dies; of a piece that breaks off, what came. With the last, the document is taken in: all of it or,
    where it is refused, none of the last piece.
    """
    _check_version(resumable)
    if request.headers.get("content-type", "").lower() not in (_PIECE_TYPE, _PLAIN_TYPE):
        raise UnsupportedType(f"A piece is sent with Content-Type: {_PIECE_TYPE}.")
    async with app.database.transaction(caller.scope) as connection:
        upload = await app.pieces.expect(connection, caller.scope, upload_id, offset, _announced(request))
    request.state.unchanged = True
    if upload.taken is None:
        await app.receiver.room.require(app.database, caller.scope)
        async with AsyncExitStack() as stack:
            piece, broken = await gather_what_comes(request.stream(), stack)
            sender = _Sender(app, caller, request.app.state.metrics, stack)
            upload = await _keep(sender, upload, piece, broken)
        request.state.unchanged = upload.taken is None
    return Response(status_code=204, headers=_headers(app, upload))


@router.delete(
    "/uploads/{upload_id:uuid}", status_code=204, responses=problems(404), summary="Give an upload up"
)
async def drop(upload_id: UUID, caller: AsEditor, app: TheApp) -> Response:
    """Give up an upload in pieces, with all that is kept of it. A document that was made of it stays."""
    await app.pieces.drop(app.database, caller.scope, upload_id)
    return Response(status_code=204, headers={"Tus-Resumable": _TUS})


async def _find(app: App, caller: Principal, upload_id: UUID) -> PartialUpload:
    async with app.database.transaction(caller.scope) as connection:
        return await app.pieces.find(connection, caller.scope, upload_id)


@dataclass(frozen=True, slots=True)
class _Sender:
    """Who sends a piece. What is opened for it is closed with `stack`, at the end of the request."""

    app: App
    caller: Principal
    metrics: Metrics
    stack: AsyncExitStack


async def _keep(
    sender: _Sender, upload: PartialUpload, piece: Content, broken: Exception | None
) -> PartialUpload:
    """Keep what came; with the last of it, take the document in."""
    size = size_of(piece)
    end = upload.received + size
    if end > upload.size_bytes:
        raise over(upload)
    if upload.received == 0:
        refuse_unsupported(_upload(upload, piece))
    if broken is None and end == upload.size_bytes:
        return await _take_in(sender, upload, piece)
    if broken is None or (size >= LEAST_PIECE_BYTES and end < upload.size_bytes):
        upload = await sender.app.pieces.add(sender.app.database, sender.caller.scope, upload, piece)
        sender.metrics.piece_kept(whole=broken is None)
    if broken is not None:
        raise broken
    return upload


async def _take_in(sender: _Sender, upload: PartialUpload, piece: Content) -> PartialUpload:
    """Take the whole file in, in one transaction with the end of its upload."""
    app, scope = sender.app, sender.caller.scope
    whole = _upload(upload, await _joined(sender, upload, piece))
    _require_admin(whole.audience is not None, sender.caller)
    async with app.database.transaction(scope) as connection:
        let_go = await app.pieces.finish(connection, scope, upload, size_of(piece))
        answer = await take_in(connection, app, scope, str(upload.collection_id), [whole])
        (taken,) = answer.body["items"]
        await app.pieces.note(connection, upload, taken)
    sender.metrics.document_received(taken["outcome"])
    await app.pieces.remove(let_go)
    return await _find(app, sender.caller, upload.upload_id)


async def _joined(sender: _Sender, upload: PartialUpload, piece: Content) -> Content:
    """The whole file. Raises Conflict where another was quicker, NotFound where the store has lost a piece."""
    if upload.received == 0:
        return piece
    app, scope = sender.app, sender.caller.scope

    async def all_of_it() -> AsyncIterator[bytes]:
        async for each in app.pieces.kept(app.database, scope, upload):
            yield each
        for each in pieces_of(piece):
            yield each

    try:
        return await gather(all_of_it(), sender.stack)
    except NotFound:
        async with app.database.transaction(scope) as connection:
            await app.pieces.expect(connection, scope, upload.upload_id, upload.received, 0)
        await app.pieces.drop(app.database, scope, upload.upload_id)  # it can only be begun anew
        raise


def _upload(upload: PartialUpload, content: Content) -> Upload:
    told = upload.described
    audience = None if told["access"] is None else frozenset(map(UUID, told["access"]))
    return Upload(
        told["external_id"], told["filename"], content, told["media_type"], told["title"], told["metadata"], audience
    )  # fmt: skip


def _described(header: str, caller: Principal) -> tuple[dict[str, Any], str | None]:
    """What is said of a file, as it is kept; and its fingerprint."""
    told = read_metadata(header)
    if not (told.get("filename") or told.get("external_id")):
        raise Invalid("Upload-Metadata names no file. Give its filename, or an external_id.")
    filename = clean_filename(told.get("filename") or told["external_id"].rpartition("/")[2])
    name = told.get("external_id") or filename
    said: Described = describe(name, told.get("title"), told.get("metadata"), told.get("access"))
    _require_admin(said.access is not None, caller)
    media_type = told.get("filetype", "")[:200] or None
    described = {**as_json(said.model_dump()), "filename": filename, "media_type": media_type}
    return described, told.get("fingerprint") or None


def read_metadata(header: str) -> dict[str, str]:
    """Read Upload-Metadata. Raises BadRequest for what is no such header, Invalid for a name that is not known."""
    told: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in header.split(","))):
        name, _, value = part.partition(" ")
        if name not in _KNOWN:
            raise Invalid(f"Upload-Metadata has a name {name[:50]!r}. Known: {', '.join(_KNOWN)}.")
        if name in told:
            raise BadRequest(f"Upload-Metadata has {name} twice. Give it once.")
        try:
            told[name] = b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise BadRequest(f"The value of {name} in Upload-Metadata is not UTF-8 in base64.") from error
        if "\0" in told[name]:
            raise Invalid(f"The value of {name} in Upload-Metadata holds a NUL character. Send it without.")
    return told


def _require_admin(limited: bool, caller: Principal) -> None:
    if limited:
        caller.require("admin")


def _check_version(resumable: str | None) -> None:
    if resumable not in (None, _TUS):
        raise OtherVersion(f"tus {_TUS} is spoken here. Send `Tus-Resumable: {_TUS}`, or leave it out.")


def _announced(request: Request) -> int:
    announced = request.headers.get("content-length", "0")
    return int(announced[:20]) if announced.isascii() and announced.isdigit() else 0


def _headers(app: App, upload: PartialUpload) -> dict[str, str]:
    return {
        "Tus-Resumable": _TUS,
        "Upload-Offset": str(upload.received),
        "Upload-Length": str(upload.size_bytes),
        "Upload-Expires": format_datetime(app.pieces.expires_at(upload), usegmt=True),
    }


def _state(app: App, upload: PartialUpload) -> dict[str, Any]:
    return {
        "upload_id": upload.upload_id,
        "collection_id": upload.collection_id,
        "external_id": upload.described["external_id"],
        "filename": upload.described["filename"],
        "size_bytes": upload.size_bytes,
        "received_bytes": upload.received,
        "expires_at": app.pieces.expires_at(upload),
        "taken": upload.taken,
    }
