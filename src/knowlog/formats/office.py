"""Office documents, books and messages through kreuzberg, whose Markdown is made to read well."""

import re
from collections import defaultdict
from typing import Any

import kreuzberg

from knowlog.formats.corners import corners_of
from knowlog.formats.decoding import normalise
from knowlog.formats.headings import markdown_headings
from knowlog.formats.kinds import ODS, XLS, XLSB, XLSX, Kind
from knowlog.formats.model import (
    Extracted,
    Grid,
    HeadingMark,
    Limits,
    Pages,
    Source,
    damaged,
    encrypted,
    too_much_text,
    without_text,
)
from knowlog.formats.sheet_drawings import drawn_on_sheets

_SHEETS = frozenset(kind.media_type for kind in (XLSX, XLSB, XLS, ODS))
_IMAGE = re.compile(r"!\[([^\[\]\n]{0,500})\]\([^()\n]{0,2000}\)")
_LINK = re.compile(r"(?<!\\)\[([^\[\]\n]{1,1000})\]\((?:[^()\\\n]|\\.){0,2000}\)")
_EMPHASIS = re.compile(r"(?<!\\)(\*{1,3})(?=[^\s*])([^*\n]{0,2000}[^\s*\\])\1")
_STRUCK = re.compile(r"(?<!\\)~~")
_BOLD_IN_TABLE = re.compile(r"\\\*\\\*([^*|\n]{1,1000})\\\*\\\*(?=[^\n]*\|$)", re.MULTILINE)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{}~])")
_NO_HEADING = "\ue000"  # stands for an escaped "#" until headings are found
_LITERALS = {"|": "\\|", "#": _NO_HEADING}
_ENTITY = re.compile(r"&#(\d{1,6});")
_FENCE = re.compile(r"(^[ ]{0,3}```[^\n]*\n.*?^[ ]{0,3}```[ \t]*$)", re.MULTILINE | re.DOTALL)
_MIDNIGHT = re.compile(r"(?<=\| )(\d{4}-\d\d-\d\d) 00:00:00(?= \|)")
"""A cell with a date: kreuzberg gives each a time."""
_DAY_0 = re.compile(r"(?<=\| )1899-12-3[01] (\d\d:\d\d:\d\d)(?= \|)")
"""A cell with a time of day: kreuzberg gives each the date from which spreadsheets count."""
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")


def read_office(source: Source, kind: Kind, limits: Limits) -> Extracted:
    """Read a document through kreuzberg; sheets of a workbook become pages."""
    result = extract(source.content, kind, limits)
    if kind.media_type in _SHEETS:
        return _workbook(result, source.content, kind, limits)
    text, headings = readable(result.content, limits)
    if not text:
        raise without_text(kind.what)
    return Extracted(text, kind.media_type, headings=headings, title=_title(result))


def extract(content: bytes, kind: Kind, limits: Limits) -> Any:
    """Return kreuzberg's result as Markdown; its errors become ours."""
    try:
        result = kreuzberg.extract_bytes_sync(content, kind.media_type, _configuration())
    except kreuzberg.KreuzbergError as error:
        reason = str(error).rpartition(": ")[2]
        if "password" in str(error).lower() or "encrypted" in str(error).lower():
            raise encrypted(kind.what) from error
        raise damaged(kind.what, reason) from error
    if len(result.content) > limits.max_chars:
        raise too_much_text(limits)
    return result


def readable(markdown: str, limits: Limits) -> tuple[str, tuple[HeadingMark, ...]]:
    """Return Markdown without pictures, link targets, emphasis and escapes, and its headings.

    A mark that was escaped, and so is a part of the text, makes no heading.
    """
    parts = _FENCE.split(normalise(markdown).replace(_NO_HEADING, "\ufffd"))
    parts[::2] = map(_plain, parts[::2])
    text = _BLANK_LINES.sub("\n\n", "".join(parts)).strip()
    return text.replace(_NO_HEADING, "#"), markdown_headings(text, limits)


def _plain(markdown: str) -> str:
    text = _LINK.sub(r"\1", _IMAGE.sub(r"\1", markdown))
    text = _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", text))  # twice: *italic* in **bold**
    text = _BOLD_IN_TABLE.sub(r"\1", _STRUCK.sub("", text))
    text = _ESCAPE.sub(lambda match: _LITERALS.get(match[1], match[1]), text)
    return normalise(_ENTITY.sub(lambda match: _character(int(match[1])), text))


def _character(code: int) -> str:
    return chr(code) if code <= 0x10FFFF else "\ufffd"


def _configuration() -> kreuzberg.ExtractionConfig:
    return kreuzberg.ExtractionConfig(  # type: ignore[call-arg]  # its stub lacks disable_ocr
        use_cache=False,
        enable_quality_processing=False,
        disable_ocr=True,
        output_format="markdown",
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
    )


def _workbook(result: Any, content: bytes, kind: Kind, limits: Limits) -> Extracted:
    """Build a text of sheets, each under its name as a heading, from the tables that kreuzberg found."""
    names: list[str] = list(result.metadata.get("sheet_names") or [])
    tables = defaultdict(list)
    for table in result.tables:
        cells = _MIDNIGHT.sub(r"\1", _DAY_0.sub(r"\1", table.markdown))
        tables[table.page_number].append(_ENTITY.sub(lambda match: _character(int(match[1])), cells))
    corners = corners_of(content, result.tables) if kind is XLSX else {}
    drawings = drawn_on_sheets(content, limits) if kind is XLSX else {}
    pages, grids = Pages(limits), []
    for number in range(1, max([len(names), *tables, *drawings]) + 1):
        name = names[number - 1] if number <= len(names) else f"Sheet {number}"
        head = normalise(f"## {name}")
        blocks = [*map(normalise, tables[number]), *drawings.get(number, ())]
        start = pages.add(number, "\n\n".join([head, *blocks]) if blocks else "")
        if number in corners:
            grids.append(Grid(name[:200], start + len(head) + 2, *corners[number]))
    if pages.length == 0:
        raise without_text(kind.what)
    text = pages.text
    found = tuple(grid for grid in grids if text.startswith("|", grid.start))
    return Extracted(
        text, kind.media_type, pages.spans, markdown_headings(text, limits), _title(result), found
    )


def _title(result: Any) -> str | None:
    title = result.metadata.get("title") or result.metadata.get("subject")
    return " ".join(normalise(title).split())[:300] or None if isinstance(title, str) else None
