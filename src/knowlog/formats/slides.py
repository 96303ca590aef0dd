"""Presentations, a page per slide: titles become headings, tables stay tables, notes follow their slide.

PowerPoint (ECMA-376, presentationml) and OpenDocument Presentation (OASIS ODF 1.3) are read from their XML,
since the general reader fails on one broken picture and does not keep the slides apart.
"""

import io
import zipfile
from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element  # names of types alone: defusedxml reads  # nosec B405

from knowlog.formats.decoding import normalise
from knowlog.formats.headings import markdown_headings
from knowlog.formats.kinds import Kind
from knowlog.formats.model import Extracted, Limits, Pages, Source, damaged, without_text
from knowlog.formats.parts import DRAWING, RELATION, Rows, drawn, part_xml, relations_of
from knowlog.formats.text import markdown_table

_A = DRAWING
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_SHOW = "{urn:oasis:names:tc:opendocument:xmlns:presentation:1.0}"
_TITLES = frozenset({"title", "ctrTitle"})
_FURNITURE = frozenset({"sldNum", "dt", "ftr", "hdr"})


def read_slides(source: Source, kind: Kind, limits: Limits) -> Extracted:
    """Read a PowerPoint presentation in the order in which its slides are shown."""
    with zipfile.ZipFile(io.BytesIO(source.content)) as archive:
        names = frozenset(archive.namelist())
        pages = Pages(limits)
        for number, part in enumerate(_slide_parts(archive, names, limits), start=1):
            pages.add(number, "\n\n".join(_slide_blocks(archive, names, part, limits)))
    return _result(pages, kind, limits)


def read_open_slides(source: Source, kind: Kind, limits: Limits) -> Extracted:
    """Read an OpenDocument presentation."""
    with zipfile.ZipFile(io.BytesIO(source.content)) as archive:
        if "content.xml" not in archive.namelist():
            raise damaged(kind.what, "content.xml is missing")
        tree = part_xml(archive, "content.xml", limits)
    pages = Pages(limits)
    for number, slide in enumerate(tree.iter(f"{_DRAW}page"), start=1):
        pages.add(number, "\n\n".join(filter(None, _open_slide_blocks(slide, limits))))
    return _result(pages, kind, limits)


def _result(pages: Pages, kind: Kind, limits: Limits) -> Extracted:
    if pages.length == 0:
        raise without_text(kind.what)
    return Extracted(pages.text, kind.media_type, pages.spans, markdown_headings(pages.text, limits))


def _slide_parts(archive: zipfile.ZipFile, names: frozenset[str], limits: Limits) -> Iterator[str]:
    part = "ppt/presentation.xml"
    if part not in names:
        raise damaged("a PowerPoint presentation", f"{part} is missing")
    relations = relations_of(archive, names, part, limits)
    for slide in part_xml(archive, part, limits).iter(f"{_P}sldId"):
        target = relations.get(slide.get(f"{RELATION}id", ""), ("", ""))[1]
        if target in names:
            yield target


def _slide_blocks(
    archive: zipfile.ZipFile, names: frozenset[str], part: str, limits: Limits
) -> Iterator[str]:
    tree = part_xml(archive, part, limits)
    relations = relations_of(archive, names, part, limits)
    drawings = drawn(archive, names, relations, limits)
    yield from filter(None, (_shape_text(shape, drawings, limits) for shape in _shapes(tree)))
    for kind, target in relations.values():
        if kind.endswith("/notesSlide") and target in names:
            notes = part_xml(archive, target, limits)
            spoken = "\n".join(filter(None, (_notes_text(shape) for shape in _shapes(notes))))
            if spoken:
                yield f"Notes: {spoken}"


def _shapes(tree: Element) -> Iterator[Element]:
    """Yield shapes and tables in document order, through groups, without the fallback copies."""
    stack = [tree]
    while stack:
        element = stack.pop()
        if element.tag in (f"{_P}sp", f"{_P}graphicFrame"):
            yield element
        elif element.tag != f"{_MC}Fallback":
            stack.extend(reversed(element))


def _placeholder(shape: Element) -> str | None:
    """Return the role of a shape in the layout, "" for an unnamed one, None for a free shape."""
    element = shape.find(f".//{_P}nvPr/{_P}ph")
    return None if element is None else element.get("type", "")


def _shape_text(shape: Element, drawings: Mapping[str, Rows], limits: Limits) -> str:
    if shape.tag == f"{_P}graphicFrame":
        tables = [_table_text(table, limits) for table in shape.iter(f"{_A}tbl")]
        return "\n\n".join(tables) or "\n\n".join(_drawing_texts(shape, drawings, limits))
    role = _placeholder(shape)
    if role in _FURNITURE:
        return ""
    paragraphs = [line for paragraph in shape.iter(f"{_A}p") if (line := _paragraph(paragraph))]
    if role in _TITLES:
        return f"# {' '.join(paragraphs)}" if paragraphs else ""
    if role is not None and len(paragraphs) > 1:
        return "\n".join(f"- {line}" for line in paragraphs)
    return "\n".join(paragraphs)


def _drawing_texts(frame: Element, drawings: Mapping[str, Rows], limits: Limits) -> Iterator[str]:
    """A chart as the table that it draws, a diagram as a list."""
    for each in frame.iter():
        rows = drawings.get(each.get(f"{RELATION}id") or each.get(f"{RELATION}dm") or "", ())
        if rows and len(rows[0]) == 1:
            yield "\n".join(f"- {row[0]}" for row in rows)
        elif rows:
            yield markdown_table(rows, limits)


def _notes_text(shape: Element) -> str:
    if _placeholder(shape) != "body":
        return ""
    return "\n".join(filter(None, map(_paragraph, shape.iter(f"{_A}p"))))


def _paragraph(paragraph: Element) -> str:
    pieces = (
        element.text or "" if element.tag == f"{_A}t" else " "
        for element in paragraph.iter()
        if element.tag in (f"{_A}t", f"{_A}br", f"{_A}tab")
    )
    return " ".join(normalise("".join(pieces)).split())


def _table_text(table: Element, limits: Limits) -> str:
    rows = [
        [" ".join(filter(None, map(_paragraph, cell.iter(f"{_A}p")))) for cell in row.iter(f"{_A}tc")]
        for row in table.iter(f"{_A}tr")
    ]
    return markdown_table([row for row in rows if row], limits)


def _open_slide_blocks(slide: Element, limits: Limits) -> Iterator[str]:
    for shape in slide:
        if shape.tag == f"{_SHOW}notes":
            spoken = _open_paragraphs(shape)
            yield f"Notes: {spoken}" if spoken else ""
        elif shape.get(f"{_SHOW}class") == "title":
            title = _open_paragraphs(shape).replace("\n", " ")
            yield f"# {title}" if title else ""
        elif (table := shape.find(f".//{_TABLE}table")) is not None:
            rows = [
                list(map(_open_paragraphs, row.iter(f"{_TABLE}table-cell")))
                for row in table.iter(f"{_TABLE}table-row")
            ]
            yield markdown_table([row for row in rows if row], limits)
        else:
            yield _open_paragraphs(shape)


def _open_paragraphs(element: Element) -> str:
    lines = (
        " ".join(normalise("".join(paragraph.itertext())).split()) for paragraph in element.iter(f"{_TEXT}p")
    )
    return "\n".join(filter(None, lines))
