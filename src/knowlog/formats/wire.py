"""What travels between the product and the process that reads strangers' files.

A frame is a JSON header and a blob, each after its length (4 and 8 bytes, big endian). Each file has a
socket of its own, with the request as one frame and the reply as another. On the control socket the product
sends the number of a job with the file's socket, or the number alone when the job is not wanted any more, and
receives, for each child that ended, the number, its exit code and whether it was late.
"""

import json
import struct
from dataclasses import asdict
from typing import Any

from knowlog.formats.model import MOST_ROWS, Extracted, Grid, HeadingMark, Limits, PageSpan, Source
from knowlog.kernel.errors import KnowlogError, ParseFailed, UnsupportedType

LENGTHS = struct.Struct(">IQ")
JOB = struct.Struct(">Q")
ENDING = struct.Struct(">QiB")
MAX_HEADER_BYTES = 16 * 1024 * 1024

_ERRORS: dict[str, type[KnowlogError]] = {error.code: error for error in (ParseFailed, UnsupportedType)}


def pack_request(source: Source, limits: Limits) -> tuple[bytes, bytes]:
    """Return lengths and header, and the blob, of a request."""
    header = {"filename": source.filename, "media_type": source.media_type, "limits": asdict(limits)}
    return _frame_head(header, source.content), source.content


def unpack_request(header: bytes, content: bytes) -> tuple[Source, Limits]:
    """Return what `pack_request` packed."""
    fields = json.loads(header)
    return Source(content, fields["filename"], fields["media_type"]), Limits(**fields["limits"])


def pack_reply(extracted: Extracted) -> tuple[bytes, bytes]:
    """Return lengths and header, and the text, of a reply."""
    header = {
        "media_type": extracted.media_type,
        "pages": extracted.pages,
        "headings": extracted.headings,
        "title": extracted.title,
        "grids": extracted.grids,
    }
    text = extracted.text.encode("utf-8", "replace")
    return _frame_head(header, text), text


def pack_error(error: KnowlogError) -> tuple[bytes, bytes]:
    """Return lengths and header of a reply that says why a file was not read, and an empty blob."""
    return _frame_head({"error": error.code, "detail": error.detail}, b""), b""


def unpack_reply(header: bytes, blob: bytes, limits: Limits) -> Extracted:
    """Return what was read, or raise why not.

    A file may have taken over the sender, so every field is checked; ValueError when one is not sound.
    """
    fields = json.loads(header)
    if "error" in fields:
        raise _ERRORS.get(str(fields["error"]), ParseFailed)(str(fields["detail"])[:1000])
    text = blob.decode()
    if len(text) > limits.max_chars or "\0" in text:
        raise ValueError("text outside its limits")
    return Extracted(
        text,
        str(fields["media_type"])[:200],
        tuple(_pages(fields["pages"], len(text), limits)),
        tuple(_headings(fields["headings"], len(text), limits)),
        str(fields["title"])[:1000] if fields["title"] is not None else None,
        tuple(_grids(fields["grids"], len(text), limits)),
    )


def _pages(rows: Any, length: int, limits: Limits) -> list[PageSpan]:
    pages = [PageSpan(*map(int, row)) for row in rows]
    edges = [edge for page in pages for edge in (page.start, page.end)]
    if len(pages) > limits.max_pages or not _ordered(edges, length):
        raise ValueError("pages outside the text")
    return pages


def _headings(rows: Any, length: int, limits: Limits) -> list[HeadingMark]:
    headings = [HeadingMark(int(level), str(title), int(start)) for level, title, start in rows]
    if len(headings) > limits.max_headings or not _ordered([heading.start for heading in headings], length):
        raise ValueError("headings outside the text")
    return headings


def _grids(rows: Any, length: int, limits: Limits) -> list[Grid]:
    grids = [Grid(str(name)[:200], int(start), int(row), int(column)) for name, start, row, column in rows]
    places = [place for grid in grids for place in (grid.row, grid.column)]
    if len(grids) > limits.max_pages or not _ordered([grid.start for grid in grids], length):
        raise ValueError("sheets outside the text")
    if not all(1 <= place <= MOST_ROWS for place in places):
        raise ValueError("sheets with rows that no sheet has")
    return grids


def _ordered(offsets: list[int], length: int) -> bool:
    return offsets == sorted(offsets) and (not offsets or (offsets[0] >= 0 and offsets[-1] <= length))


def _frame_head(header: dict[str, Any], blob: bytes) -> bytes:
    packed = json.dumps(header).encode()
    return LENGTHS.pack(len(packed), len(blob)) + packed
