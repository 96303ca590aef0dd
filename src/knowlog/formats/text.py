"""Readers for formats that are text already: plain, Markdown, tables of separated values, subtitles."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

from knowlog.formats.decoding import decode
from knowlog.formats.headings import front_matter_title, markdown_headings
from knowlog.formats.kinds import Kind
from knowlog.formats.model import Extracted, Grid, Limits, Source, too_much_text

_CUE_TIME = re.compile(r"^[^\n]{0,40}-->[^\n]*$")
_TAG = re.compile(r"<[^<>\n]{0,200}>")
_DATA = re.compile(r"\bdata:[\w.+-]{1,80}/[\w.+-]{1,80}(?:;[\w.=-]{1,80})*;base64,[A-Za-z0-9+/=%]+")
_SEPARATORS = ",;\t|"


def read_text(source: Source, kind: Kind, limits: Limits) -> Extracted:
    """Read plain text as it stands; it has no headings, for nothing marks them."""
    return Extracted(decode(source.content, source.media_type, limits), kind.media_type)


def read_markdown(source: Source, kind: Kind, limits: Limits) -> Extracted:
    """Read Markdown as it stands, but for pictures that are written into it as letters, and note its headings."""
    text = _DATA.sub("data:", decode(source.content, source.media_type, limits))
    headings = markdown_headings(text, limits)
    return Extracted(text, kind.media_type, headings=headings, title=front_matter_title(text))


def read_table(source: Source, kind: Kind, limits: Limits) -> Extracted:
    """Read separated values as one Markdown table; what cannot be read so is kept as plain text."""
    text = decode(source.content, source.media_type, limits)
    separator = "\t" if kind.media_type == "text/tab-separated-values" else _separator_of(text)
    csv.field_size_limit(limits.max_chars)
    try:
        read = list(csv.reader(io.StringIO(text), delimiter=separator))
    except csv.Error:
        return Extracted(text, kind.media_type)
    rows = [row for row in read if any(map(str.strip, row))]
    numbered = (Grid("", 0, 1, 1),) if len(rows) == len(read) else ()
    return Extracted(markdown_table(rows, limits), kind.media_type, grids=numbered)


def read_subtitles(source: Source, kind: Kind, limits: Limits) -> Extracted:
    """Read what is said in WebVTT or SubRip subtitles, without times, cue numbers, notes and tags."""
    text = decode(source.content, source.media_type, limits)
    spoken = [cue for block in re.split(r"\n[ \t]*\n", text) if (cue := _spoken(block))]
    return Extracted("\n\n".join(spoken), kind.media_type)


def markdown_table(rows: Sequence[Sequence[str]], limits: Limits) -> str:
    """Return rows as a Markdown table whose first row is the header; short rows stay short."""
    if not rows:
        return ""
    lines = [_table_line(rows[0]), _table_line(["---"] * len(rows[0]))]
    size = 0
    for row in rows[1:]:
        lines.append(_table_line(row))
        size += len(lines[-1]) + 1
        if size > limits.max_chars:
            raise too_much_text(limits)
    return "\n".join(lines)


def _table_line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def _separator_of(text: str) -> str:
    """Return the separator that the first line has most of; a comma when it has none."""
    first_line = text[:10_000].lstrip().partition("\n")[0]
    return max(_SEPARATORS, key=first_line.count)


def _spoken(block: str) -> str:
    lines = block.strip().split("\n")
    time = next((index for index, line in enumerate(lines[:3]) if _CUE_TIME.match(line)), None)
    if time is None:
        return ""
    return "\n".join(filter(None, (_TAG.sub("", line).strip() for line in lines[time + 1 :])))
