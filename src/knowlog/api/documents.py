"""Documents: taking them in, looking at them, changing and deleting them."""

import hashlib
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from knowlog.api.dependencies import (
    NO_NUL,
    AsEditor,
    AsReader,
    CollectionName,
    Cursor,
    IdempotencyKey,
    IfMatch,
    JsonObject,
    Limit,
    Route,
    TheApp,
    as_json,
    reply,
    reply_once,
)
from knowlog.api.model import Body, Listing, problems
from knowlog.api.paging import documents_page
from knowlog.api.uploads import describe, read_batch, read_uploads
from knowlog.bootstrap import App
from knowlog.bus import Job, get_job
from knowlog.documents import (
    DeletionReceipt,
    Document,
    DocumentState,
    Page,
    Received,
    Upload,
    check_metadata,
    document_original,
    document_text,
    get_document,
    patch_document,
    retry_document,
)
from knowlog.edge import Answer, entity_tag, expected_revision, fingerprint, once
from knowlog.tenants import Principal

router = APIRouter(prefix="/v1", tags=["documents"], route_class=Route, responses=problems())

Outcome = Literal["created", "updated", "unchanged"]
_Version = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
_Offset = Annotated[int | None, Query(ge=0, le=2**31 - 2, description="Offset in code points.")]
_FORM = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
            "external_id": {"type": "string"},
            "title": {"type": "string"},
            "metadata": {"type": "string", "description": "A JSON object."},
        },
    }
}
_JSON = {
    "schema": {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "url": {"type": "string"},
            "external_id": {"type": "string"},
            "title": {"type": "string"},
            "metadata": {"type": "object"},
        },
    },
    "examples": {
        "text": {
            "value": {
                "text": "The warranty lasts 24 months.",
                "external_id": "warranty",
                "metadata": {"year": 2026},
            }
        },
        "url": {"value": {"url": "https://example.com/report.pdf"}},
    },
}
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": _FORM,
            "application/json": _JSON,
            "text/plain": {"schema": {"type": "string"}},
            "application/octet-stream": _BYTES,
        },
    }
}
_BATCH = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["text"],
                        "additionalProperties": False,
                        "properties": {
                            "text": {"type": "string", "minLength": 1},
                            "external_id": {"type": "string"},
                            "title": {"type": "string"},
                            "metadata": {"type": "object"},
                        },
                    },
                }
            },
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    }
}


class Accepted(Body):
    """What became of one document. `job_id` is null, and nothing will be done, when its bytes were there
    already.
    """

    document_id: UUID
    external_id: str
    outcome: Outcome
    state: DocumentState
    job_id: UUID | None


class AcceptedAll(Body):
    """What became of the documents of one request, in their order."""

    items: list[Accepted]


class ChangedDocument(Body):
    """What to change of a document without sending it again."""

    title: Annotated[str, Field(min_length=1, max_length=1000), NO_NUL] | None = None
    metadata: JsonObject | None = Field(None, description="Replaces all metadata of the document.")


class TextSpan(Body):
    """The span [start, end) of a version's text, in code points, and the pages that it touches."""

    document_id: UUID
    version: int
    start: int
    end: int
    length: int
    text: str
    pages: list[Page]


@router.post(
    "/collections/{collection}/documents",
    status_code=202,
    response_model=AcceptedAll,
    openapi_extra=_UPLOAD,
    responses={
        200: {"model": AcceptedAll, "description": "Nothing has changed."},
        **problems(404, 409, 413, 415, 429),
    },
)
async def upload(
    collection: CollectionName,
    request: Request,
    caller: AsEditor,
    app: TheApp,
    external_id: Annotated[
        str | None, Query(max_length=2000, description="For a body that is the document itself.")
    ] = None,
    title: Annotated[str | None, Query(max_length=1000)] = None,
    metadata: Annotated[str | None, Query(description="A JSON object.")] = None,
    filename: Annotated[
        str | None, Query(max_length=1000, description="Tells the type where Content-Type does not.")
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Take documents in: files of a form, the bytes themselves, or text or a URL in JSON.

    The same external id again is the same document: the same bytes change nothing, others become its next
    version.
    """
    uploads = await read_uploads(request, app, filename, describe(external_id, title, metadata))
    return await _receive(request, caller, collection, uploads, idempotency_key)


@router.post(
    "/collections/{collection}/documents:batch",
    status_code=202,
    response_model=AcceptedAll,
    openapi_extra=_BATCH,
    responses={
        200: {"model": AcceptedAll, "description": "Nothing has changed."},
        **problems(404, 409, 413, 415),
    },
)
async def upload_batch(
    collection: CollectionName,
    request: Request,
    caller: AsEditor,
    app: TheApp,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Take many texts in at once, all of them or none: up to 1,000 in one request."""
    uploads = await read_batch(request, app.settings.api.max_batch_items)
    return await _receive(request, caller, collection, uploads, idempotency_key)


@router.get("/documents", response_model=Listing[Document], responses=problems(404))
async def listing(
    caller: AsReader,
    app: TheApp,
    cursor: Cursor = None,
    limit: Limit = 50,
    collection: Annotated[str | None, Query(max_length=200, description="Only this collection.")] = None,
    state: DocumentState | None = None,
    external_id: Annotated[str | None, Query(max_length=2000)] = None,
    metadata: Annotated[
        str | None, Query(description="A JSON object that the metadata must contain.")
    ] = None,
) -> Response:
    """List documents, collection by collection, in order of arrival."""
    contained = describe(None, None, metadata).metadata
    async with app.database.transaction(caller.scope) as connection:
        items, following = await documents_page(
            connection,
            caller.scope,
            collection,
            cursor,
            limit,
            state=state,
            external_id=external_id,
            metadata=contained,
        )
    return reply({"items": items, "next_cursor": following})


@router.get("/collections/{collection}/documents", response_model=Listing[Document], responses=problems(404))
async def listing_of_collection(
    collection: CollectionName,
    caller: AsReader,
    app: TheApp,
    cursor: Cursor = None,
    limit: Limit = 50,
    state: DocumentState | None = None,
    external_id: Annotated[str | None, Query(max_length=2000)] = None,
    metadata: Annotated[
        str | None, Query(description="A JSON object that the metadata must contain.")
    ] = None,
) -> Response:
    """List the documents of a collection in order of arrival."""
    return await listing(caller, app, cursor, limit, collection, state, external_id, metadata)


@router.get("/documents/{document_id:uuid}", response_model=Document, responses=problems(404))
async def show(document_id: UUID, caller: AsReader, app: TheApp) -> Response:
    """Show one document."""
    async with app.database.transaction(caller.scope) as connection:
        document = await get_document(connection, caller.scope, document_id)
    return reply(document, headers={"ETag": _tag(document)})


@router.get("/documents/{document_id}/text", response_model=TextSpan, responses=problems(404))
async def text(
    document_id: UUID,
    caller: AsReader,
    app: TheApp,
    start: _Offset = None,
    end: _Offset = None,
    version: _Version = None,
) -> Response:
    """Read the text of a document, or a span of it: what citations point to."""
    async with app.database.transaction(caller.scope) as connection:
        found = await document_text(connection, caller.scope, document_id, version, start or 0, end)
    pages = [page for page in found.structure.pages if page.start < found.end and page.end > found.start]
    return reply(
        {
            "document_id": document_id,
            "version": found.version,
            "start": found.start,
            "end": found.end,
            "length": found.length,
            "text": found.text,
            "pages": pages,
        }
    )


@router.get(
    "/documents/{document_id}/content",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": _BYTES}}, **problems(404)},
)
async def content(document_id: UUID, caller: AsReader, app: TheApp, version: _Version = None) -> Response:
    """Download the original bytes. Always as an attachment: what a stranger uploaded is not shown by a
    browser.
    """
    async with app.database.transaction(caller.scope) as connection:
        original = await document_original(connection, caller.scope, document_id, version)
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(original.filename, safe='')}"}
    return Response(await app.blobs.get(original.blob), 200, headers, "application/octet-stream")


@router.patch("/documents/{document_id:uuid}", response_model=Document, responses=problems(404, 412))
async def change(
    document_id: UUID, body: ChangedDocument, caller: AsEditor, app: TheApp, if_match: IfMatch = None
) -> Response:
    """Change title or metadata."""
    expected = expected_revision(if_match)
    check_metadata(body.metadata, app.settings.documents.max_metadata_kb)
    async with app.database.transaction(caller.scope) as connection:
        document = await patch_document(
            connection, caller.scope, document_id, title=body.title, metadata=body.metadata, expected=expected
        )
        if body.metadata is not None:
            await app.store.set_metadata(connection, caller.scope.tenant_id, document_id, body.metadata)
    return reply(document, headers={"ETag": _tag(document)})


@router.delete("/documents/{document_id:uuid}", response_model=DeletionReceipt, responses=problems(404, 412))
async def delete(document_id: UUID, caller: AsEditor, app: TheApp, if_match: IfMatch = None) -> Response:
    """Delete a document everywhere. The receipt counts what was removed, and proves by searching that it is
    gone.
    """
    return reply(await app.delete_document(caller.scope, document_id, expected_revision(if_match)))


@router.post(
    "/documents/{document_id}:retry", status_code=202, response_model=Job, responses=problems(404, 409)
)
async def retry(document_id: UUID, caller: AsEditor, app: TheApp) -> Response:
    """Index a failed document again."""
    async with app.database.transaction(caller.scope) as connection:
        job = await get_job(connection, await retry_document(connection, caller.scope, document_id))
    return reply(job, 202, {"Location": f"/v1/jobs/{job.job_id}"})


async def _receive(
    request: Request, caller: Principal, collection: str, uploads: list[Upload], idempotency_key: str | None
) -> Response:
    app: App = request.app.state.knowlog
    asked = _asked(collection, uploads) if idempotency_key else b""
    async with app.database.transaction(caller.scope) as connection:

        async def act() -> Answer:
            received = await app.receiver.receive(connection, caller.scope, collection, uploads)
            items = [_accepted(item) for item in received]
            return Answer(
                202 if any(item.job_id for item in received) else 200,
                {"items": as_json(items)},
                _place(received),
            )

        answer = await once(connection, caller.scope, idempotency_key, asked, act)
    for item in () if answer.repeated else answer.body["items"]:
        request.app.state.metrics.document_received(item["outcome"])
    return reply_once(answer)


def _accepted(item: Received) -> dict[str, Any]:
    document = item.document
    return {
        "document_id": document.document_id,
        "external_id": document.external_id,
        "outcome": item.outcome,
        "state": document.state,
        "job_id": item.job_id,
    }


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
                item.title,
                item.metadata,
                hashlib.sha256(item.content).digest(),
            )
            for item in uploads
        ],
    )


def _tag(document: Document) -> str:
    return entity_tag(document.revision, document.state, document.version or 0, document.attempts)
