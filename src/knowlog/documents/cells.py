"""Cells: where in its sheet something stands that was quoted from a workbook or a table of separated values.

The text of a sheet is a table of Markdown, a line for each row. So cells follow from the text, and from where the sheet's
first cell is, which the reader has noted.
"""

import re
from collections.abc import Sequence
from uuid import UUID

from knowlog.database import Connection, load_queries
from knowlog.documents.model import Grid

_SQL = load_queries("knowlog.documents")
_BAR = re.compile(r"(?<!\\)\|")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")

Span = tuple[UUID, int, int, int]
"""Document, version, start and end."""


async def cells_of(connection: Connection, spans: Sequence[Span]) -> list[str | None]:
    """Return the cells of each span, such as `Sheet1!B2:C4`; None for what stands in no sheet, or cannot be told."""
    versions = list(dict.fromkeys((document_id, version) for document_id, version, *_ in spans))
    rows = await connection.fetch(_SQL["grids"], *map(list, zip(*versions, strict=True))) if versions else []
    grids = {(row["document_id"], row["version"]): [Grid(*each) for each in row["grids"]] for row in rows}
    return [await _cells(connection, span, grids.get(span[:2], ())) for span in spans]


async def _cells(connection: Connection, span: Span, grids: Sequence[Grid]) -> str | None:
    document_id, version, start, end = span
    grid = next((each for each in reversed(grids) if each.start <= start), None)
    if grid is None:
        return None
    row = await connection.fetchrow(_SQL["version_text"], document_id, version, grid.start, end)
    return None if row is None else cells_within(grid, row["text"], start - grid.start)


def cells_within(grid: Grid, text: str, start: int) -> str | None:
    """Return the cells of the span that begins at `start` of a sheet's text, and ends with it."""
    if not 0 <= start < len(text) or "\n\n" in text:
        return None
    first_line = text.count("\n", 0, start)
    lines = text.split("\n")
    spans = [_columns(line, max(0, start - _begin(lines, number)) if number == first_line else 0)
             for number, line in enumerate(lines) if number >= first_line and number != 1]  # fmt: skip
    columns = [column for span in spans for column in span]
    if not columns or min(columns) < 1:
        return None
    rows = (_row(grid, first_line), _row(grid, len(lines) - 1))
    corners = [
        f"{_letters(grid.column + column - 1)}{row}"
        for column, row in zip((min(columns), max(columns)), rows, strict=True)
    ]
    place = ":".join(dict.fromkeys(corners))
    return f"{_quoted(grid.name)}!{place}" if grid.name else place


def _begin(lines: Sequence[str], number: int) -> int:
    return sum(len(line) + 1 for line in lines[:number])


def _columns(line: str, start: int) -> tuple[int, ...]:
    """The first and the last column of a row that line[start:] touches, from 1."""
    before, quoted = len(_BAR.findall(line, 0, start)), line[start:]
    inside = quoted.strip()
    if not inside:
        return ()
    first = before + 1 if inside.startswith("|") else before
    last = before + len(_BAR.findall(quoted)) - (_BAR.match(inside, len(inside) - 1) is not None)
    return first, max(first, last)


def _row(grid: Grid, line: int) -> int:
    """The row of a line: the second line is the rule below the first row."""
    return grid.row + max(0, line - 1)


def _letters(column: int) -> str:
    """A for column 1, AA for 27."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _quoted(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else "'" + name.replace("'", "''") + "'"
