"""Documents: looking at them, changing and deleting them."""

from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import Field
from starlette.responses import StreamingResponse

from knowlog.api.dependencies import (
    NO_NUL,
    AsEditor,
    AsReader,
    CollectionName,
    Cursor,
    IfMatch,
    JsonObject,
    Limit,
    Route,
    TheApp,
    as_json,
    reply,
)
from knowlog.api.incoming import describe
from knowlog.api.model import Body, Listing, problems
from knowlog.api.paging import documents_page
from knowlog.api.repeating import Repeats
from knowlog.bus import Job, get_job
from knowlog.database import Connection
from knowlog.documents import (
    DeletionReceipt,
    Document,
    DocumentState,
    Page,
    check_metadata,
    document_original,
    document_text,
    document_text_bytes,
    get_document,
    patch_document,
    retry_document,
)
from knowlog.edge import (
    Answer,
    Leave,
    credential_of,
    entity_tag,
    expected_revision,
    pass_while,
    visit_of,
    wanted_span,
)
from knowlog.ingestion import get_receipt
from knowlog.tenants import authenticate, record

router = APIRouter(prefix="/v1", tags=["documents"], route_class=Route, responses=problems())

_Version = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
_Offset = Annotated[int | None, Query(ge=0, le=2**31 - 2, description="Offset in code points.")]
_PIECE_BYTES = 512 * 1024
_TEXT_COPIES = 2
"""The text itself, and the answer that holds it."""
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_Metadata = Annotated[str | None, Query(description="A JSON object that the metadata must contain.")]
_ExternalId = Annotated[str | None, Query(max_length=2000)]


class ChangedDocument(Body):
    """What to change of a document without sending it again."""

    title: Annotated[str, Field(min_length=1, max_length=1000), NO_NUL] | None = None
    metadata: JsonObject | None = Field(None, description="Replaces all metadata of the document.")


class Sheet(Body):
    """A sheet of a workbook, or a table of separated values: a table of the text that begins at `start`, in code points.
    Its first cell is in row `row` and column `column` of the sheet, both from 1.
    """

    name: str
    start: int
    row: int
    column: int


class TextSpan(Body):
    """The span [start, end) of a version's text, in code points, the pages that it touches, and all sheets of the
    version.
    """

    document_id: UUID
    version: int
    start: int
    end: int
    length: int
    text: str
    pages: list[Page]
    sheets: list[Sheet]


@router.get(
    "/documents",
    response_model=Listing[Document],
    responses=problems(404),
    summary="List documents of all collections",
)
async def listing(
    caller: AsReader,
    app: TheApp,
    cursor: Cursor = None,
    limit: Limit = 50,
    collection: Annotated[str | None, Query(max_length=200, description="Only this collection.")] = None,
    state: DocumentState | None = None,
    external_id: _ExternalId = None,
    metadata: _Metadata = None,
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


@router.get(
    "/collections/{collection}/documents",
    response_model=Listing[Document],
    responses=problems(404),
    summary="List a collection's documents",
)
async def listing_of_collection(
    collection: CollectionName,
    caller: AsReader,
    app: TheApp,
    cursor: Cursor = None,
    limit: Limit = 50,
    state: DocumentState | None = None,
    external_id: _ExternalId = None,
    metadata: _Metadata = None,
) -> Response:
    """List the documents of a collection in order of arrival."""
    return await listing(caller, app, cursor, limit, collection, state, external_id, metadata)


@router.get(
    "/documents/{document_id:uuid}",
    response_model=Document,
    responses=problems(404),
    summary="Show one document",
)
async def show(document_id: UUID, caller: AsReader, app: TheApp) -> Response:
    """Show one document."""
    async with app.database.transaction(caller.scope) as connection:
        document = await get_document(connection, caller.scope, document_id)
    return reply(document, headers={"ETag": _tag(document)})


@router.get(
    "/documents/{document_id}/text",
    response_model=TextSpan,
    responses=problems(404, 429),
    summary="Read a document's text",
)
async def text(
    document_id: UUID,
    request: Request,
    caller: AsReader,
    app: TheApp,
    start: _Offset = None,
    end: _Offset = None,
    version: _Version = None,
) -> Response:
    """Read the text of a document, or a span of it: what citations point to."""
    async with app.database.transaction(caller.scope) as connection:
        size = await document_text_bytes(connection, caller.scope, document_id, version, start or 0, end)
        visit_of(request.scope).stay.take(_TEXT_COPIES * size)
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
            "sheets": [grid._asdict() for grid in found.structure.grids],
        }
    )


@router.get(
    "/documents/{document_id}/content",
    response_class=Response,
    responses={
        200: {"content": {"application/octet-stream": _BYTES}},
        206: {"content": {"application/octet-stream": _BYTES}, "description": "The bytes that Range names."},
        **problems(404, 416),
    },
    summary="Download the original file",
)
async def content(
    document_id: UUID,
    request: Request,
    caller: AsReader,
    app: TheApp,
    version: _Version = None,
    wanted: Annotated[str | None, Header(alias="Range", description="One range, such as bytes=0-99.")] = None,
) -> Response:
    """Download the original bytes, or a range of them. Always as an attachment: what a stranger uploaded is not shown
    by a browser. Whoever may not see the document any more is cut off within seconds.
    """
    async with app.database.transaction(caller.scope) as connection:
        original = await document_original(connection, caller.scope, document_id, version)
    size = original.size_bytes
    span = wanted_span(wanted, size)
    start, end = span or (0, size)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(original.filename, safe='')}",
        "Content-Length": str(end - start),
        "Accept-Ranges": "bytes",
    }
    if span:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"

    async def look() -> None:
        principal = await authenticate(app.database, credential_of(request))
        async with app.database.transaction(principal.scope) as connection:
            await get_document(connection, principal.scope, document_id)

    begun = await _begun(app.blobs.stream(original.blob, _PIECE_BYTES, (start, end)))
    pieces = pass_while(Leave(look), visit_of(request.scope), begun)
    return StreamingResponse(pieces, 206 if span else 200, headers, "application/octet-stream")


async def _begun(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Fetch the first piece, so that what is not there is told before the answer begins."""
    first = await anext(pieces, b"")

    async def all_of_them() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return all_of_them()


@router.patch(
    "/documents/{document_id:uuid}",
    response_model=Document,
    responses=problems(404, 412),
    summary="Change title or metadata",
)
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
        told = {"fields": sorted(body.model_dump(exclude_none=True))}
        await record(connection, caller.scope, "document.changed", f"document:{document_id}", told)
    return reply(document, headers={"ETag": _tag(document)})


@router.delete(
    "/documents/{document_id:uuid}",
    response_model=DeletionReceipt,
    responses=problems(404, 412),
    summary="Delete a document with receipt",
)
async def delete(document_id: UUID, caller: AsEditor, app: TheApp, if_match: IfMatch = None) -> Response:
    """Delete a document everywhere. The receipt counts what was removed, and proves by searching that it is
    gone.
    """
    return reply(await app.delete_document(caller.scope, document_id, expected_revision(if_match)))


@router.get(
    "/documents/{document_id}/receipt",
    response_model=DeletionReceipt,
    responses=problems(404),
    summary="Show a deleted document's receipt",
)
async def receipt(document_id: UUID, caller: AsReader, app: TheApp) -> Response:
    """Show once more what deleting a document removed, to whoever could see the document."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await get_receipt(connection, caller.scope, document_id))


@router.post(
    "/documents/{document_id}:retry",
    status_code=202,
    response_model=Job,
    responses=problems(404, 409),
    summary="Retry a failed document",
)
async def retry(document_id: UUID, caller: AsEditor, app: TheApp, repeats: Repeats) -> Response:
    """Index a failed document again."""

    async def act(connection: Connection) -> Answer:
        job = await get_job(connection, await retry_document(connection, caller.scope, document_id))
        await record(connection, caller.scope, "document.retried", f"document:{document_id}")
        return Answer(202, as_json(job), {"Location": f"/v1/jobs/{job.job_id}"})

    return await repeats.reply(app, caller.scope, act)


def _tag(document: Document) -> str:
    return entity_tag(document.revision, document.state, document.version or 0, document.attempts)
