"""Word documents (ECMA-376), put so that kreuzberg leaves out no sign of their text."""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace

from knowlog.formats.containers import UNREADABLE, repacked
from knowlog.formats.kinds import Kind
from knowlog.formats.model import Extracted, Limits, Source, damaged
from knowlog.formats.office import read_office
from knowlog.formats.parts import Rows, drawn, relations_of
from knowlog.formats.references import as_meant, without_references, without_signs

_BODY = "word/document.xml"
_PARTS = re.compile(r"(?:word/[^/]*|docProps/core)\.xml", re.IGNORECASE)
_PICTURES = "word/media/"
_SIGN = re.compile(r"<w:(tab|noBreakHyphen)\s*/>")
_SIGNS = {"tab": " ", "noBreakHyphen": "-"}
"""Of a run; the tabs of a style have attributes."""
_DRAWING = re.compile(r"<(?P<end>/?)(?:mc:AlternateContent|w:pict|w:drawing)\b[^<>]*?(?P<empty>/?)>")
_FALLBACK = re.compile(r"<(?P<end>/?)mc:Fallback\b[^<>]*?(?P<empty>/?)>")
_DRAWN = re.compile(r"<c:chart\b[^<>]*\br:id=\"(\w{1,80})\"|<dgm:relIds\b[^<>]*\br:dm=\"(\w{1,80})\"")
_BOX = "<w:txbxContent"
_WORDS = re.compile(r"<w:t(?:\s[^<>]*)?>([^<>]*)</w:t>|(?P<end></w:p>)")
_OTHER_ENCODING = re.compile(rb"\s*<\?xml[^<>]{0,200}encoding\s*=\s*[\"'](?!utf-8)", re.IGNORECASE)


def read_word(source: Source, kind: Kind, limits: Limits) -> Extracted:
    """Read a Word document: "R&D" is "R&amp;D" in it, and to kreuzberg "RD"; it has no tab, hyphen, chart or diagram."""
    drawings = _drawings(source, kind, limits)
    plain = repacked(
        source,
        kind,
        limits,
        kept=lambda name: not name.startswith(_PICTURES),
        rewrite=lambda name, content: (
            _plain(content, drawings if name == _BODY else {}) if _PARTS.fullmatch(name) else content
        ),
    )
    found = read_office(plain, kind, limits)
    headings = tuple(each._replace(title=as_meant(each.title)) for each in found.headings)
    return replace(
        found, text=as_meant(found.text), headings=headings, title=found.title and as_meant(found.title)
    )


def _drawings(source: Source, kind: Kind, limits: Limits) -> dict[str, Rows]:
    try:
        with zipfile.ZipFile(io.BytesIO(source.content)) as archive:
            names = frozenset(archive.namelist())
            return drawn(archive, names, relations_of(archive, names, _BODY, limits), limits)
    except UNREADABLE as error:
        raise damaged(kind.what, str(error)) from error


def _plain(content: bytes, drawings: Mapping[str, Rows]) -> bytes:
    if _OTHER_ENCODING.match(content):
        return content
    try:
        xml = without_references(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return content
    xml = _with_words_of_drawings(xml, drawings)
    return _SIGN.sub(lambda sign: f'<w:t xml:space="preserve">{_SIGNS[sign[1]]}</w:t>', xml).encode()


def _with_words_of_drawings(xml: str, drawings: Mapping[str, Rows]) -> str:
    """Put the words of text boxes, charts and diagrams as words of their run.

    Of a paragraph with a box, kreuzberg reads the one or the other. A drawing may hold others, and is replaced whole.
    """
    written, at = [], 0
    for begin, end in _outermost(xml, _DRAWING):
        if words := _words_of(xml[begin:end], drawings):
            written += [xml[at:begin], f'<w:t xml:space="preserve"> {words} </w:t>']
            at = end
    return "".join([*written, xml[at:]])


def _outermost(xml: str, tags: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Begin and end of the elements with these tags that are in no other of them."""
    depth = begin = 0
    for tag in tags.finditer(xml):
        if tag["empty"]:
            continue
        if not tag["end"]:
            begin = begin if depth else tag.start()
            depth += 1
        elif depth:
            depth -= 1
            if not depth:
                yield begin, tag.end()


def _words_of(drawing: str, drawings: Mapping[str, Rows]) -> str:
    if _BOX not in drawing and _DRAWN.search(drawing) is None:
        return ""
    shown, at = [], 0
    for begin, end in _outermost(
        drawing, _FALLBACK
    ):  # the same again, for readers that do not know the first form
        shown.append(drawing[at:begin])
        at = end
    return _own_words("".join([*shown, drawing[at:]]), drawings) or _own_words(drawing, drawings)


def _own_words(drawing: str, drawings: Mapping[str, Rows]) -> str:
    boxes = "".join(" " if found["end"] else found[1] for found in _WORDS.finditer(drawing))
    rows = [row for found in _DRAWN.finditer(drawing) for row in drawings.get(found[1] or found[2], ())]
    told = "; ".join(" ".join(filter(None, row)) for row in rows)
    return " ".join(f"{boxes} {without_signs(told)}".split())
