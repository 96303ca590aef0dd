"""The ways in which documents come in: files of a form, the bytes themselves, text or a URL in JSON, many
texts at once.

Identity is the external id: given, or a file's name, or a URL, or for a text without any of these a hash of
the text.
"""

import asyncio
import errno
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from tempfile import SpooledTemporaryFile, gettempdir
from typing import Annotated, Any, BinaryIO, cast
from uuid import UUID

import orjson
from fastapi import Request
from pydantic import Field, TypeAdapter
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect

from knowlog.api.dependencies import NO_NUL, JsonObject, read_json
from knowlog.api.model import Body
from knowlog.bootstrap import App
from knowlog.documents import UNNAMED, UNNAMED_TEXT, Content, Upload, head_of, in_file, sha256_of
from knowlog.edge import RequestTimeout, check_body, fetch, visit_of
from knowlog.formats import Source, detect
from knowlog.kernel.errors import (
    BadRequest,
    Invalid,
    KnowlogError,
    StorageFull,
    TooLarge,
    UnsupportedType,
)

_ExternalId = Annotated[str, Field(min_length=1, max_length=2000), NO_NUL]
_Title = Annotated[str, Field(min_length=1, max_length=1000), NO_NUL]
_MOST_FILES = 100
_MOST_FIELDS = 20
_HEAD_BYTES = 64 * 1024
_IN_MEMORY_BYTES = 1024 * 1024
"""What is larger comes into a file, as forms do (MultiPartParser.spool_max_size)."""


class Described(Body):
    """What may be said of any document."""

    external_id: _ExternalId | None = Field(
        None, description="Identity within the collection, such as a path."
    )
    title: _Title | None = None
    metadata: JsonObject | None = Field(None, examples=[{"year": 2026, "team": "support"}])
    access: list[UUID] | None = Field(
        None, max_length=1000, description="Who may see it: members and groups. For admins to say."
    )

    @property
    def audience(self) -> frozenset[UUID] | None:
        """`access` as documents keep it."""
        return None if self.access is None else frozenset(self.access)


class TextDocument(Described):
    """A document whose text is in the request."""

    text: Annotated[str, Field(min_length=1), NO_NUL]


class UrlDocument(Described):
    """A document that the server fetches."""

    url: Annotated[
        str, Field(min_length=1, max_length=2000, examples=["https://example.com/report.pdf"]), NO_NUL
    ]


_DESCRIBED = TypeAdapter(Described)
_TEXT, _URL = TypeAdapter(TextDocument), TypeAdapter(UrlDocument)
_TEXTS = TypeAdapter(list[TextDocument])


@asynccontextmanager
async def read_uploads(
    request: Request, filename: str | None, described: Described
) -> AsyncIterator[list[Upload] | UrlDocument]:
    """Read the documents of one request, by its Content-Type. What they hold can be read until the context ends.

    A document by URL is not fetched yet: `fetch_document` does. Files and bodies of more than a MB come into a file on
    the disk. Raises StorageFull when that is full.
    """
    kind = _kind(request)
    async with AsyncExitStack() as stack:
        if kind == "multipart/form-data":
            uploads = await _from_form(request, described, stack)
        elif kind == "application/json":
            _require_in_body(described)
            sent = _from_json(await request.body())
            if isinstance(sent, UrlDocument):
                yield sent
                return
            uploads = [sent]
        elif kind == "application/x-www-form-urlencoded":
            raise UnsupportedType(
                "A form without files cannot be read. Send multipart/form-data, text or JSON."
            )
        else:
            content = await gather(request.stream(), stack)
            uploads = [_from_body(content, kind, _media_type(request), filename, described)]
        for upload in uploads:
            refuse_unsupported(upload)
        yield uploads


async def fetch_document(request: Request, app: App, wanted: UrlDocument) -> Upload:
    """Fetch a document by its URL. Raises LimitReached while too many are being fetched, UnsupportedType, FetchFailed."""
    visit, fetches = visit_of(request.scope), request.app.state.fetches
    with fetches.one_of(visit.tenant):
        most = app.settings.documents.max_upload_bytes
        got = await fetch(wanted.url, app.settings.api, most, took=visit.stay.take)
    name = wanted.external_id or wanted.url
    upload = Upload(
        name, got.filename, got.content, got.media_type, wanted.title, wanted.metadata, wanted.audience
    )
    refuse_unsupported(upload)
    return upload


async def read_batch(request: Request, most: int) -> list[Upload]:
    """Read a batch of texts: a JSON list, or one JSON object a line (application/x-ndjson)."""
    kind = _kind(request)
    raw = await request.body()
    if kind in {"application/x-ndjson", "application/jsonl", "application/ndjson"}:
        items = [_line(number, line) for number, line in enumerate(raw.splitlines(), 1) if line.strip()]
    elif kind in {"application/json", ""}:
        items = orjson_loads(raw)
    else:
        raise UnsupportedType(
            "A batch is a JSON list (application/json) or JSON lines (application/x-ndjson)."
        )
    if isinstance(items, list) and len(items) > most:
        raise TooLarge(
            f"A batch has at most {most:,} documents; this one has {len(items):,}. Send it in parts."
        )
    documents = check_body(_TEXTS, items)
    if not documents:
        raise Invalid("The batch holds no document. Send at least one.")
    return [_text_upload(document) for document in documents]


def describe(
    external_id: str | None, title: str | None, metadata: str | None, access: str | None = None
) -> Described:
    """Read what query or form fields say of a document; `metadata` is a JSON object, `access` ids with commas."""
    given: dict[str, Any] = {"external_id": external_id, "title": title}
    if metadata is not None:
        try:
            given["metadata"] = read_json(metadata.encode())
        except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
            raise Invalid(f"metadata must be a JSON object: {error}.") from error
    if access is not None:
        given["access"] = [each.strip() for each in access.split(",") if each.strip()]
    return check_body(_DESCRIBED, given)


def text_id(content: Content) -> str:
    """The external id of a text that has no name: the same text again is the same document."""
    return f"text:{sha256_of(content).hex()[:32]}"


def orjson_loads(raw: bytes) -> Any:
    """Read JSON. Raises BadRequest."""
    try:
        return read_json(raw)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not valid JSON: {error}. Correct it there.") from error


async def gather(pieces: AsyncIterator[bytes], stack: AsyncExitStack) -> Content:
    """Bring bytes together as they come. They can be read until the stack is closed. Raises StorageFull."""
    body = _landing(stack)
    with _disk_errors_told():
        async for piece in pieces:
            await body.write(piece)
    return await _content_of(body)


async def gather_what_comes(
    pieces: AsyncIterator[bytes], stack: AsyncExitStack
) -> tuple[Content, Exception | None]:
    """As `gather`, and where the body breaks off, what has come of it, with the reason."""
    body, broken = _landing(stack), None
    with _disk_errors_told():
        try:
            async for piece in pieces:
                await body.write(piece)
        except (ClientDisconnect, RequestTimeout) as error:
            broken = error
    return await _content_of(body), broken


def _landing(stack: AsyncExitStack) -> UploadFile:
    """Where bytes come in: little in memory, more in a file, until the stack is closed."""
    file = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed with the stack
    stack.callback(file.close)
    return UploadFile(file=cast(BinaryIO, file), size=0)


async def _content_of(file: UploadFile) -> Content:
    """What came, in memory where it is little."""
    if (file.size or 0) > _IN_MEMORY_BYTES:
        return await asyncio.to_thread(in_file, file.file)
    await file.seek(0)
    return await file.read()


@contextmanager
def _disk_errors_told() -> Iterator[None]:
    """Raise StorageFull where what comes in finds no room on the disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StorageFull(
            "The disk on which uploads arrive is full. Nothing was stored; send this again when the operator has made"
            f" room in {gettempdir()}.",
            retry_after_s=60,
        ) from error


def _from_body(
    content: Content, kind: str, media_type: str | None, filename: str | None, described: Described
) -> Upload:
    name = described.external_id or filename or text_id(content)
    return Upload(
        name,
        filename or _named(kind, described.external_id),
        content,
        media_type,
        described.title,
        described.metadata,
        described.audience,
    )


def refuse_unsupported(upload: Upload) -> None:
    """Refuse at once what no reader takes. What is damaged is a worker's to find out."""
    try:
        detect(Source(head_of(upload.content, _HEAD_BYTES), upload.filename, upload.media_type))
    except UnsupportedType as error:
        raise UnsupportedType(f"{upload.filename[:200]!r} cannot be taken. {error.detail}") from error
    except KnowlogError:
        return


def _require_in_body(queried: Described) -> None:
    for name in queried.model_dump(exclude_none=True):
        raise Invalid(f"{name} stands in the address. A document in JSON has it in the body; put it there.")


def _joined(form: Described, queried: Described, files: int) -> Described:
    """What the form and the address say together of its files. Raises Invalid where they cannot both be meant."""
    given = queried.model_dump(exclude_none=True)
    for name in given:
        if getattr(form, name) is not None:
            raise Invalid(f"{name} stands in the address and in the form. Give it once.")
        if files > 1 and name not in {"metadata", "access"}:
            raise Invalid(f"{name} is for one file. Send several files without it, or one by one.")
    return form.model_copy(update=given)


async def _from_form(request: Request, queried: Described, stack: AsyncExitStack) -> list[Upload]:
    _check_charset(request)
    with _disk_errors_told():
        form = await stack.enter_async_context(request.form(max_files=_MOST_FILES, max_fields=_MOST_FIELDS))
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    _check_form(form, files)
    own = describe(*(_field(form, name) for name in ("external_id", "title", "metadata", "access")))
    described = _joined(own, queried, len(files))
    return [await _file_upload(file, described) for file in files]


def _check_charset(request: Request) -> None:
    """Refuse forms of other encodings: Python knows some that take minutes for a megabyte."""
    _, options = parse_options_header(request.headers["content-type"])
    if options.get(b"charset", b"utf-8").lower() not in {b"utf-8", b"utf8", b"us-ascii"}:
        raise UnsupportedType("Forms are read as UTF-8. Send this one without charset, in UTF-8.")


def _check_form(form: FormData, files: Sequence[UploadFile]) -> None:
    if not files:
        raise Invalid("The form holds no file. Send each file as a part named file, with a filename.")
    unknown = {name for name, value in form.multi_items() if isinstance(value, str)} - {
        "external_id",
        "title",
        "metadata",
        "access",
    }
    if unknown:
        raise Invalid(
            f"The form has a field {sorted(unknown)[0]!r}. Known: file, external_id, title, metadata, access."
        )
    if len(files) > 1 and (form.get("external_id") or form.get("title")):
        raise Invalid("external_id and title are for one file. Send several files without, or one by one.")


def _field(form: FormData, name: str) -> str | None:
    value = form.get(name)
    return value if isinstance(value, str) and value else None


async def _file_upload(file: UploadFile, described: Described) -> Upload:
    content = await _content_of(file)
    filename = clean_filename(_as_named(file.filename or "file"))
    name = described.external_id or filename
    return Upload(
        name,
        filename,
        content,
        file.content_type or None,
        described.title,
        described.metadata,
        described.audience,
    )


def _from_json(raw: bytes) -> Upload | UrlDocument:
    value = orjson_loads(raw)
    if isinstance(value, dict) and not value.keys() & {"text", "url"}:
        raise Invalid(
            "The document is missing. Give its text or a url to fetch it from, or send a file (multipart/form-data, field"
            " file)."
        )
    if isinstance(value, dict) and value.keys() >= {"text", "url"}:
        raise Invalid("A document is given by its text or by a url, not by both. Leave one of them out.")
    if isinstance(value, dict) and "url" in value:
        return check_body(_URL, value)
    return _text_upload(check_body(_TEXT, value))


def _text_upload(document: TextDocument) -> Upload:
    content = document.text.encode()
    name = document.external_id or text_id(content)
    return Upload(
        name,
        _text_filename(document.external_id),
        content,
        "text/plain",
        document.title,
        document.metadata,
        document.audience,
    )


def _text_filename(external_id: str | None) -> str:
    """A name that people know the text by until it has a title, and that says it is text."""
    last = _last_part(external_id, UNNAMED_TEXT)
    return last if last.endswith((".txt", ".md")) else f"{last}.txt"


def _last_part(external_id: str | None, otherwise: str) -> str:
    return (external_id or otherwise).rstrip("/").rpartition("/")[2] or otherwise


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _media_type(request: Request) -> str | None:
    """With what is said of the charset."""
    return request.headers.get("content-type", "").strip()[:200] or None


def _line(number: int, line: bytes) -> Any:
    try:
        return read_json(line)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"Line {number} is not valid JSON: {error}.") from error


def _as_named(filename: str) -> str:
    """A part's filename without the escapes that forms are sent with: these three alone (HTML Living Standard, 4.10.22).

    Some clients, ours among them, escape other control characters as well; `clean_filename` would not keep those anyway.
    """
    return re.sub("%(22|0A|0D)", lambda found: chr(int(found[1], 16)), filename)


def clean_filename(filename: str) -> str:
    """A file's name as a client gives it may be a path; keep it, without what no name holds."""
    return "".join(character for character in filename if character.isprintable())[-1000:] or "file"


def _named(media_type: str, external_id: str | None) -> str:
    """A name for what came without one. It ends like a text or in nothing: an id need not tell the truth of its kind."""
    if media_type in {"", "text/plain"}:
        return _text_filename(external_id)
    return _last_part(external_id, UNNAMED).replace(".", " ").strip() or UNNAMED
