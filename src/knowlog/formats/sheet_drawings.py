"""What is drawn over the cells of an Excel workbook (ECMA-376, part 1, 20.5): words of boxes, charts and diagrams."""

import io
import zipfile
from collections.abc import Iterator

from knowlog.formats.containers import UNREADABLE
from knowlog.formats.model import Limits
from knowlog.formats.parts import RELATION, drawn, part_xml, relations_of, words_of
from knowlog.kernel.errors import ParseFailed

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_SHAPE = "{http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing}sp"
_WORKBOOK = "xl/workbook.xml"


def drawn_on_sheets(content: bytes, limits: Limits) -> dict[int, list[str]]:
    """Return the words that are drawn on each sheet, by its number, from 1. What a chart draws stands in cells: its title
    is told alone. A workbook whose drawings cannot be read has none.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = frozenset(archive.namelist())
            parts = relations_of(archive, names, _WORKBOOK, limits)
            sheets = [
                each.get(f"{RELATION}id", "")
                for each in part_xml(archive, _WORKBOOK, limits).iter(f"{_MAIN}sheet")
            ]
            return {
                number: list(_words(archive, names, parts[sheet][1], limits))
                for number, sheet in enumerate(sheets, start=1)
                if sheet in parts
            }
    except (*UNREADABLE, KeyError, ParseFailed):
        return {}


def _words(archive: zipfile.ZipFile, names: frozenset[str], sheet: str, limits: Limits) -> Iterator[str]:
    for kind, target in relations_of(archive, names, sheet, limits).values():
        if kind.endswith("/drawing") and target in names:
            yield from filter(None, map(words_of, part_xml(archive, target, limits).iter(_SHAPE)))
            for rows in drawn(archive, names, relations_of(archive, names, target, limits), limits).values():
                yield from rows[0][:1] if len(rows[0]) > 1 else (row[0] for row in rows)
