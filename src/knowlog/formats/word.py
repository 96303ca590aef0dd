"""Word documents (ECMA-376), put so that kreuzberg leaves out no sign of their text."""

import re
from dataclasses import replace

from knowlog.formats.containers import repacked
from knowlog.formats.kinds import Kind
from knowlog.formats.model import Extracted, Limits, Source
from knowlog.formats.office import read_office
from knowlog.formats.references import as_meant, without_references

_PARTS = re.compile(r"(?:word/[^/]*|docProps/core)\.xml", re.IGNORECASE)
_PICTURES = "word/media/"
_SIGN = re.compile(r"<w:(tab|noBreakHyphen)\s*/>")
_SIGNS = {"tab": " ", "noBreakHyphen": "-"}
"""Of a run; the tabs of a style have attributes."""
_BOX = re.compile(
    r"<(?P<holder>mc:AlternateContent|w:pict)\b(?:(?!<(?:mc:AlternateContent|w:pict)\b).)*?<w:txbxContent\b"
    r"(?P<held>(?:(?!<mc:AlternateContent\b|<w:txbxContent\b).)*?)</w:txbxContent>"
    r"(?:(?!<mc:AlternateContent\b).)*?</(?P=holder)>",
    re.DOTALL,
)
_WORDS = re.compile(r"<w:t(?:\s[^<>]*)?>([^<>]*)</w:t>|(?P<end></w:p>)")
_OTHER_ENCODING = re.compile(rb"\s*<\?xml[^<>]{0,200}encoding\s*=\s*[\"'](?!utf-8)", re.IGNORECASE)


def read_word(source: Source, kind: Kind, limits: Limits) -> Extracted:
    """Read a Word document: "R&D" is "R&amp;D" in it, and to kreuzberg "RD"; it has no tab or hyphen."""
    plain = repacked(
        source,
        kind,
        limits,
        kept=lambda name: not name.startswith(_PICTURES),
        rewrite=lambda name, content: _plain(content) if _PARTS.fullmatch(name) else content,
    )
    found = read_office(plain, kind, limits)
    headings = tuple(each._replace(title=as_meant(each.title)) for each in found.headings)
    return replace(
        found, text=as_meant(found.text), headings=headings, title=found.title and as_meant(found.title)
    )


def _plain(content: bytes) -> bytes:
    if _OTHER_ENCODING.match(content):
        return content
    try:
        xml = without_references(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return content
    xml = _BOX.sub(_within_its_paragraph, xml)
    return _SIGN.sub(lambda sign: f'<w:t xml:space="preserve">{_SIGNS[sign[1]]}</w:t>', xml).encode()


def _within_its_paragraph(box: re.Match[str]) -> str:
    """The words of a text box as words of its run: of a paragraph with a box, kreuzberg reads the one or the other."""
    words = "".join(" " if found["end"] else found[1] for found in _WORDS.finditer(box["held"]))
    return f'<w:t xml:space="preserve"> {words.strip()} </w:t>'
