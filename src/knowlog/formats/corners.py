"""Where in its sheet a table begins that was read from an Excel workbook: the reader leaves empty rows and columns before
the first cell out. A sheet is only spoken for where the cells of the file fit the table that was read, both ways.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_LARGEST_BYTES = 64 * 1024 * 1024
_SHEET = re.compile(rb"<sheet\b[^>]*>")
_NUMBER = re.compile(rb"\br:id=\"([^\"]{1,200})\"")
_RELATION = re.compile(rb"<Relationship\b[^>]*>")
_ID, _TARGET = re.compile(rb"\bId=\"([^\"]{1,200})\""), re.compile(rb"\bTarget=\"([^\"]{1,500})\"")
_CELL = re.compile(rb"<c\b([^>]*)>")
_PLACE = re.compile(rb"\br=\"([A-Z]{1,3})([0-9]{1,7})\"")


def corners_of(content: bytes, tables: Sequence[Any]) -> dict[int, tuple[int, int]]:
    """Return row and column, from 1, of the first cell of the tables, by the number of their sheets, from 1.

    What cannot be told for sure is left out: sheets with several tables, and files that are written in another way.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return dict(_corners(archive, list(_paths(archive)), tables))
    except (zipfile.BadZipFile, KeyError, OSError, ValueError, RuntimeError, EOFError):
        return {}


def _corners(
    archive: zipfile.ZipFile, paths: Sequence[str], tables: Sequence[Any]
) -> Iterator[tuple[int, tuple[int, int]]]:
    numbers = [table.page_number for table in tables]
    for table in tables:
        if numbers.count(table.page_number) == 1 and table.page_number <= len(paths):
            cells = _cells(_read(archive, paths[table.page_number - 1]))
            if corner := _corner(cells, table):
                yield table.page_number, corner


def _paths(archive: zipfile.ZipFile) -> Iterator[str]:
    """The files of the sheets, in the order of the workbook."""
    relations = {
        _only(_ID, each): _only(_TARGET, each)
        for each in _RELATION.findall(_read(archive, "xl/_rels/workbook.xml.rels"))
    }
    for sheet in _SHEET.findall(_read(archive, "xl/workbook.xml")):
        target = relations[_only(_NUMBER, sheet)]
        yield target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _only(pattern: re.Pattern[bytes], element: bytes) -> str:
    found = pattern.search(element)
    if found is None:
        raise ValueError("an element without a name")
    return found[1].decode()


def _read(archive: zipfile.ZipFile, path: str) -> bytes:
    if archive.getinfo(path).file_size > _LARGEST_BYTES:
        raise ValueError("a sheet too large to be looked through")
    return archive.read(path)


def _cells(sheet: bytes) -> list[tuple[int, int]]:
    """Row and column of every cell that holds something. Raises ValueError for one that does not say where it is."""
    cells = []
    for found in _CELL.finditer(sheet):
        place = _PLACE.search(found[1])
        if place is None:
            raise ValueError("a cell without a place")
        if not found[1].endswith(b"/"):
            cells.append((int(place[2]), _column(place[1])))
    return cells


def _corner(cells: Iterable[tuple[int, int]], table: Any) -> tuple[int, int] | None:
    """The first row and column of the cells, if there are as many as the table has, and one line for each row of it."""
    rows, columns = [set(each) for each in zip(*cells, strict=True)] or [set(), set()]
    if not rows or not table.cells:
        return None
    size = (max(rows) - min(rows) + 1, max(columns) - min(columns) + 1)
    lines = table.markdown.strip().count("\n") + 1
    fits = size == (len(table.cells), len(table.cells[0])) and lines == len(table.cells) + 1
    return (min(rows), min(columns)) if fits else None


def _column(letters: bytes) -> int:
    """The number of a column: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number
