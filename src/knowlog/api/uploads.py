"""Uploads: taking documents in."""

from collections import Counter
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from knowlog.api.dependencies import (
    AsEditor,
    CollectionName,
    IdempotencyKey,
    Route,
    TheApp,
    as_json,
    reply_once,
)
from knowlog.api.incoming import UrlDocument, describe, fetch_document, read_batch, read_uploads
from knowlog.api.model import Body, problems
from knowlog.api.upload_schema import BATCH, UPLOAD
from knowlog.bootstrap import App
from knowlog.database import Connection, Scope
from knowlog.documents import DocumentState, Received, Upload, sha256_of
from knowlog.edge import Answer, fingerprint, kept_answer, once, visit_of
from knowlog.tenants import Principal, record

router = APIRouter(prefix="/v1", tags=["documents"], route_class=Route, responses=problems())

Outcome = Literal["created", "updated", "relabelled", "unchanged"]


class Accepted(Body):
    """What became of one document. `job_id` is null when there is nothing to index: its bytes were there already,
    under this title.
    """

    document_id: UUID
    external_id: str
    outcome: Outcome
    state: DocumentState
    job_id: UUID | None


class AcceptedAll(Body):
    """What became of the documents of one request, in their order."""

    items: list[Accepted]


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": AcceptedAll, "description": "Nothing has changed."},
    **problems(404, 409, 413, 415, 507),
}


@router.post(
    "/collections/{collection}/documents",
    status_code=202,
    response_model=AcceptedAll,
    openapi_extra=UPLOAD,
    responses=_RESPONSES,
    summary="Upload one or more documents",
)
async def upload(
    collection: CollectionName,
    request: Request,
    caller: AsEditor,
    app: TheApp,
    external_id: Annotated[
        str | None,
        Query(max_length=2000, description="For a body that is the document itself, or a form of one file."),
    ] = None,
    title: Annotated[str | None, Query(max_length=1000, description="As external_id.")] = None,
    metadata: Annotated[str | None, Query(description="A JSON object; of a form, for all its files.")] = None,
    access: Annotated[
        str | None,
        Query(description="Who alone may see it: ids of members and groups, with commas. For admins."),
    ] = None,
    filename: Annotated[
        str | None, Query(max_length=1000, description="Tells the type where Content-Type does not.")
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Take documents in: files of a form, the bytes themselves, or text or a URL in JSON.

    What is said of a form's file stands in the form or in the address, each thing once; JSON has it in the body.
    The same external id again is the same document: other bytes become its next version; the same bytes are not
    indexed again, also when they have failed (`:retry` is for that), and only title and metadata are taken over.
    """
    await admit(request, caller, 1)
    await app.receiver.room.require(app.database, caller.scope)
    described = describe(external_id, title, metadata, access)
    async with read_uploads(request, filename, described) as sent:
        if isinstance(sent, UrlDocument):
            return await _receive_by_url(request, caller, collection, sent, idempotency_key)
        await admit(request, caller, len(sent) - 1)
        asked = _asked(collection, sent) if idempotency_key else b""
        return await _receive(request, caller, collection, sent, idempotency_key, asked)


@router.post(
    "/collections/{collection}/documents:batch",
    status_code=202,
    response_model=AcceptedAll,
    openapi_extra=BATCH,
    responses=_RESPONSES,
    summary="Upload many texts at once",
)
async def upload_batch(
    collection: CollectionName,
    request: Request,
    caller: AsEditor,
    app: TheApp,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Take many texts in at once, all of them or none: up to 1,000 in one request."""
    await admit(request, caller, 1)
    await app.receiver.room.require(app.database, caller.scope)
    uploads = await read_batch(request, app.settings.api.max_batch_items)
    await admit(request, caller, len(uploads) - 1)
    asked = _asked(collection, uploads) if idempotency_key else b""
    return await _receive(request, caller, collection, uploads, idempotency_key, asked)


async def admit(request: Request, caller: Principal, count: int) -> None:
    """Raise LimitReached when the caller has uploaded as many documents as it may in a minute. The first is counted
    before the body is read, so that a refusal costs neither side anything.
    """
    if count:
        app: App = request.app.state.knowlog
        rate = await app.limiter.admit_uploads(caller, count)
        visit = visit_of(request.scope)
        visit.rates = [*visit.rates[:1], rate] if rate else visit.rates


async def _receive_by_url(
    request: Request, caller: Principal, collection: str, wanted: UrlDocument, idempotency_key: str | None
) -> Response:
    """Fetch and take in, unless this was asked before: what stands at the address by now is no part of the question."""
    app: App = request.app.state.knowlog
    asked = fingerprint("upload by URL", collection, wanted.model_dump())
    async with app.database.transaction(caller.scope) as connection:
        kept = await kept_answer(connection, caller.scope, idempotency_key, asked)
    if kept is not None:
        return reply_once(kept)
    upload = await fetch_document(request, app, wanted)
    return await _receive(request, caller, collection, [upload], idempotency_key, asked)


async def _receive(
    request: Request,
    caller: Principal,
    collection: str,
    uploads: list[Upload],
    idempotency_key: str | None,
    asked: bytes,
) -> Response:
    app: App = request.app.state.knowlog
    if any(upload.audience is not None for upload in uploads):
        caller.require("admin")
    async with app.database.transaction(caller.scope) as connection:

        async def act() -> Answer:
            return await take_in(connection, app, caller.scope, collection, uploads)

        answer = await once(connection, caller.scope, idempotency_key, asked, act)
    for item in () if answer.repeated else answer.body["items"]:
        request.app.state.metrics.document_received(item["outcome"])
    return reply_once(answer)


async def take_in(
    connection: Connection, app: App, scope: Scope, collection: str, uploads: list[Upload]
) -> Answer:
    """Take documents in, in the caller's transaction; what the request is answered then. Raises as `Receiver.receive`."""
    received = await app.receiver.receive(connection, scope, collection, uploads)
    items = [_accepted(item) for item in received]
    if app.settings.api.audit_uploads:
        await record(connection, scope, "documents.uploaded", *_told(received))
    status = 202 if any(item.job_id for item in received) else 200
    return Answer(status, {"items": as_json(items)}, _place(received))


def _accepted(item: Received) -> dict[str, Any]:
    document = item.document
    return {
        "document_id": document.document_id,
        "external_id": document.external_id,
        "outcome": item.outcome,
        "state": document.state,
        "job_id": item.job_id,
    }


def _told(received: list[Received]) -> tuple[str, dict[str, Any]]:
    """What the audit log says of an upload: of one document which it is, of several how many."""
    first = received[0].document
    outcomes: dict[str, Any] = {**Counter(item.outcome for item in received)}
    if len(received) == 1:
        return f"document:{first.document_id}", {"collection_id": first.collection_id, **outcomes}
    return f"collection:{first.collection_id}", outcomes


def _place(received: list[Received]) -> dict[str, str]:
    first = received[0].document
    if len(received) == 1:
        return {"Location": f"/v1/documents/{first.document_id}"}
    return {"Location": f"/v1/collections/{first.collection_id}/documents"}


def _asked(collection: str, uploads: list[Upload]) -> bytes:
    return fingerprint(
        "upload",
        collection,
        [
            (
                item.external_id,
                item.filename,
                item.media_type,
                item.title,
                item.metadata,
                sorted(item.audience) if item.audience is not None else None,
                sha256_of(item.content),
            )
            for item in uploads
        ],
    )
