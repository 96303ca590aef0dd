"""OpenDocument texts (OASIS ODF 1.3), put so that kreuzberg reads all of them.

It leaves out, and does not say so, what stands in a span within a span, in a note, in a list or table within a cell, in
groups of rows, in shapes, in a frame of a page, and under ruby; and joins words between which stands a `text:s`.
"""

from collections.abc import Iterator
from xml.etree.ElementTree import (  # names of types alone: defusedxml reads  # nosec B405
    Element,
    ParseError,
    SubElement,
)

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring, tostring

from knowlog.formats.containers import repacked
from knowlog.formats.kinds import Kind
from knowlog.formats.model import Extracted, Limits, Source, damaged
from knowlog.formats.office import read_office

_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_DRAWN = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
_CELL = f"{_TABLE}table-cell"
_PARAGRAPH = f"{_TEXT}p"
_PARAGRAPHS = frozenset((_PARAGRAPH, f"{_TEXT}h"))
_UNWRAPPED = frozenset((
    *(f"{_TEXT}{name}" for name in ("span", "numbered-paragraph", "ruby", "ruby-base")),
    *(f"{_TEXT}{name}" for name in ("bibliography", "index-body", "index-title")),
    *(f"{_TABLE}{name}" for name in ("table-row-group", "table-rows")),
))  # fmt: skip
_LEFT_OUT = frozenset((f"{_TEXT}ruby-text", f"{_TEXT}bibliography-source", f"{_TEXT}table-of-content"))
_READ_AS = {f"{_TEXT}list-header": f"{_TEXT}list-item"}
_SPACES = f"{_TEXT}s"
_NOTE, _NOTE_BODY = f"{_TEXT}note", f"{_TEXT}note-body"
_CONTENT = "content.xml"
_BESIDE = ("mimetype", "meta.xml", "styles.xml", "META-INF/manifest.xml")


def read_open_text(source: Source, kind: Kind, limits: Limits) -> Extracted:
    """Read an OpenDocument text; a note follows its paragraph, as does what is drawn there."""
    try:
        plain = repacked(
            source,
            kind,
            limits,
            kept=lambda name: name in (_CONTENT, *_BESIDE),
            rewrite=lambda name, content: _plain(content) if name == _CONTENT else content,
            needs=_CONTENT,
        )
    except DefusedXmlException as error:
        raise damaged(kind.what, "its XML defines entities") from error
    except (ParseError, RecursionError) as error:
        raise damaged(kind.what, str(error)) from error
    return read_office(plain, kind, limits)


def _plain(content: bytes) -> bytes:
    root = fromstring(content, forbid_dtd=True)
    made = Element(root.tag, root.attrib)
    _copy(root, made, None)
    written: bytes = tostring(made, "utf-8")
    return written


def _copy(source: Element, target: Element, notes: list[Element] | None) -> None:
    """Append what an element holds to another. In a paragraph, those of notes and of what is drawn come to `notes`."""
    _write(target, source.text)
    for child in source:
        if child.tag in _UNWRAPPED:
            _copy(child, target, notes)
        elif child.tag == _SPACES:
            _write(target, " ")
        elif child.tag == _NOTE or child.tag.startswith(_DRAWN):
            apart = _paragraphs(child.find(_NOTE_BODY) if child.tag == _NOTE else child)
            if notes is not None:
                notes += apart
            else:
                for each in apart:
                    _copy_paragraph(each, _PARAGRAPH, target)
        elif child.tag in _PARAGRAPHS:
            _copy_paragraph(child, child.tag, target)
        elif child.tag == _CELL:
            _copy_cell(child, SubElement(target, child.tag, child.attrib))
        elif child.tag not in _LEFT_OUT:
            _copy(child, SubElement(target, _READ_AS.get(child.tag, child.tag), child.attrib), notes)
        _write(target, child.tail)


def _copy_paragraph(paragraph: Element, tag: str, target: Element) -> None:
    notes: list[Element] = []
    _copy(paragraph, SubElement(target, tag, paragraph.attrib), notes)
    for note in notes:
        _copy_paragraph(note, _PARAGRAPH, target)


def _copy_cell(cell: Element, target: Element) -> None:
    """A cell becomes one paragraph: kreuzberg puts no space between several."""
    whole, left = SubElement(target, _PARAGRAPH), list(_paragraphs(cell))
    while left:
        notes: list[Element] = []
        _copy(left.pop(0), whole, notes)
        left[:0] = notes
        _write(whole, " " if left else None)


def _paragraphs(holder: Element | None) -> Iterator[Element]:
    """The paragraphs in lists, tables and sections, too; not those in a frame of another."""
    for child in () if holder is None else holder:
        if child.tag in _PARAGRAPHS:
            yield child
        else:
            yield from _paragraphs(child)


def _write(target: Element, text: str | None) -> None:
    if text and len(target):
        target[-1].tail = (target[-1].tail or "") + text
    elif text:
        target.text = (target.text or "") + text
