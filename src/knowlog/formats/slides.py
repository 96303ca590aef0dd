"""Presentations, a page per slide: titles become headings, tables stay tables, notes follow their slide.

PowerPoint (ECMA-376, presentationml) and OpenDocument Presentation (OASIS ODF 1.3) are read from their XML,
since the general reader fails on one broken picture and does not keep the slides apart.
"""

import io
import posixpath
import zipfile
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError  # names of types alone: defusedxml reads  # nosec B405

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from knowlog.formats.containers import read_member
from knowlog.formats.decoding import normalise
from knowlog.formats.headings import markdown_headings
from knowlog.formats.kinds import Kind
from knowlog.formats.model import Extracted, Limits, Pages, Source, damaged, without_text
from knowlog.formats.text import markdown_table

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
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
        tree = _xml(archive, "content.xml", limits)
    pages = Pages(limits)
    for number, slide in enumerate(tree.iter(f"{_DRAW}page"), start=1):
        pages.add(number, "\n\n".join(filter(None, _open_slide_blocks(slide, limits))))
    return _result(pages, kind, limits)


def _result(pages: Pages, kind: Kind, limits: Limits) -> Extracted:
    if pages.length == 0:
        raise without_text(kind.what)
    return Extracted(pages.text, kind.media_type, pages.spans, markdown_headings(pages.text, limits))


def _xml(archive: zipfile.ZipFile, name: str, limits: Limits) -> Element:
    content = read_member(archive, name, limits)
    try:
        root: Element = fromstring(content, forbid_dtd=True)
        return root
    except DefusedXmlException as error:
        raise damaged("a presentation", "its XML defines entities") from error
    except ParseError as error:
        raise damaged("a presentation", str(error)) from error


def _relations(
    archive: zipfile.ZipFile, names: frozenset[str], part: str, limits: Limits
) -> dict[str, tuple[str, str]]:
    """Return relation id -> (type, target part) of a part; links that leave the file are not followed."""
    folder, name = posixpath.split(part)
    relations = f"{folder}/_rels/{name}.rels"
    if relations not in names:
        return {}
    found = {}
    for relation in _xml(archive, relations, limits):
        if relation.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/")
            found[relation.get("Id", "")] = (relation.get("Type", ""), target)
    return found


def _slide_parts(archive: zipfile.ZipFile, names: frozenset[str], limits: Limits) -> Iterator[str]:
    part = "ppt/presentation.xml"
    if part not in names:
        raise damaged("a PowerPoint presentation", f"{part} is missing")
    relations = _relations(archive, names, part, limits)
    for slide in _xml(archive, part, limits).iter(f"{_P}sldId"):
        target = relations.get(slide.get(f"{_R}id", ""), ("", ""))[1]
        if target in names:
            yield target


def _slide_blocks(
    archive: zipfile.ZipFile, names: frozenset[str], part: str, limits: Limits
) -> Iterator[str]:
    tree = _xml(archive, part, limits)
    yield from filter(None, (_shape_text(shape, limits) for shape in _shapes(tree)))
    for kind, target in _relations(archive, names, part, limits).values():
        if kind.endswith("/notesSlide") and target in names:
            notes = _xml(archive, target, limits)
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


def _shape_text(shape: Element, limits: Limits) -> str:
    if shape.tag == f"{_P}graphicFrame":
        return "\n\n".join(_table_text(table, limits) for table in shape.iter(f"{_A}tbl"))
    role = _placeholder(shape)
    if role in _FURNITURE:
        return ""
    paragraphs = [line for paragraph in shape.iter(f"{_A}p") if (line := _paragraph(paragraph))]
    if role in _TITLES:
        return f"# {' '.join(paragraphs)}" if paragraphs else ""
    if role is not None and len(paragraphs) > 1:
        return "\n".join(f"- {line}" for line in paragraphs)
    return "\n".join(paragraphs)


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
