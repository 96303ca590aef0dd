"""Web pages and XML: decoded here, so that the charset is settled, then turned to Markdown by kreuzberg."""

import html
import re
from dataclasses import replace

from knowlog.formats.containers import repacked
from knowlog.formats.decoding import charset_of, decode
from knowlog.formats.kinds import HTML, Kind
from knowlog.formats.model import Extracted, HeadingMark, Limits, Source, without_text
from knowlog.formats.office import extract, read_office, readable
from knowlog.formats.references import as_meant, without_references
from knowlog.formats.shallow import shallow

_CHARSET = re.compile(rb"<meta[^<>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_FAR = 2**20
"""How far a page's charset is looked for: browsers, too, begin anew where one comes late."""
_XML_CHARSET = re.compile(rb"<\?xml[^<>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})", re.IGNORECASE)
_TOLD_BY_BYTES = re.compile(r"utf|ascii$|iso8859-1$")
"""Many pages that name these are UTF-8, or Windows' Western text; one whose tags are found as ASCII is no UTF-16."""
_TITLE = re.compile(r"<title\b[^<>]{0,500}>([^<]{0,2000})</title\s*>", re.IGNORECASE)
_HEAD_ONLY = re.compile(r"<(?:meta|link|base)\b[^<>]*>", re.IGNORECASE)
_DATA = re.compile(
    r"""(=\s*)(?:"\s*data:[\w.+/;=%-]*,[^"]*"|'\s*data:[\w.+/;=%-]*,[^']*'|data:[\w.+/;=%-]*,[^\s<>"']*)""",
    re.IGNORECASE,
)
"""The value of an attribute that holds a file, as of a picture: letters without a meaning, more than the page's."""
_MISREAD = {
    **dict.fromkeys(
        ("a", "b", "big", "cite", "dfn", "em", "font", "i", "ins", "mark", "strong", "u", "var"), ""
    ),
    **dict.fromkeys(("math", "svg"), ""),
    **dict.fromkeys(("form", "summary", "text"), "div"),
    **dict.fromkeys(("annotation", "annotation-xml", "desc", "metadata"), "template"),
}
"""What kreuzberg makes of these is worse than what it makes of nothing, or of another element: it joins the blocks in a
link into one line, puts marks around those in <b> or <ins>, reads no picture and writes "SVG Image" for it, keeps the
source of a formula beside it, and leaves a form out. What a link or <b> means does not come into the text anyway."""
_MISREAD_TAG = re.compile(
    rf"<(?P<end>/?)(?P<name>{'|'.join(_MISREAD)})(?=[\s/>])(?P<rest>(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*+)>",
    re.IGNORECASE,
)
_MARK = re.compile(r"\*|~~+|\](?!\]?-{0,2}>)|(?<=&amp;)#")
_MEANT = str.maketrans({"\ue001": "*", "\ue002": "~", "\ue003": "]", "\ue004": "#"})
"""What stands for marks of a page's text while its Markdown is read: 2*3*4 is none of Markdown's."""
_STAND_INS = {ord(mark): stand_in for stand_in, mark in _MEANT.items()}
_TAKEN = dict.fromkeys(_MEANT, "\ufffd")
_PAGES = (".xhtml", ".html", ".htm")
_OF_BOOKS = (*_PAGES, ".xml", ".opf", ".ncx", "mimetype")
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^<>]{0,500}\?>")


def read_markup(source: Source, kind: Kind, limits: Limits) -> Extracted:
    """Read HTML or XML; scripts and styles are dropped, h1 to h6 become headings."""
    sent_as = source.media_type if charset_of(source.media_type) else declared_charset(source.content)
    text = decode(source.content, sent_as, limits)
    title = None
    if kind is HTML or kind.media_type == HTML.media_type:
        match = _TITLE.search(text)
        title = " ".join(html.unescape(match[1]).split()) if match else None
        body, headings = _readable_page(text, kind, limits)
    else:
        text = without_references(_XML_DECLARATION.sub("", text))
        body, headings = readable(extract(text.encode(), kind, limits).content, limits)
        body, headings = as_meant(body), tuple(each._replace(title=as_meant(each.title)) for each in headings)
    if not body:
        raise without_text(kind.what)
    return Extracted(body, kind.media_type, headings=headings, title=title or None)


def read_book(source: Source, kind: Kind, limits: Limits) -> Extracted:
    """Read an EPUB: web pages in a container."""
    plain = repacked(
        source,
        kind,
        limits,
        kept=lambda name: name.lower().endswith(_OF_BOOKS),
        rewrite=lambda name, content: _page_of_book(content) if name.lower().endswith(_PAGES) else content,
    )
    return read_office(plain, kind, limits)


def _page_of_book(content: bytes) -> bytes:
    text = content.decode("latin-1")  # whatever its charset, its tags are ASCII
    return _MISREAD_TAG.sub(_read_right, text).encode("latin-1")


def read_html_part(content: str, limits: Limits) -> str:
    """Return the text of a piece of HTML, for a message's body; it may have none."""
    return _readable_page(content, replace(HTML), limits)[0]


def _readable_page(page: str, kind: Kind, limits: Limits) -> tuple[str, tuple[HeadingMark, ...]]:
    """Like `readable`, but of a page: kreuzberg does not escape there what is no Markdown."""
    given = _without_what_hides(
        _MARK.sub(lambda found: found[0].translate(_STAND_INS), page.translate(_TAKEN))
    )
    text, headings = readable(extract(given.encode(), kind, limits).content, limits)
    return text.translate(_MEANT), tuple(
        each._replace(title=each.title.translate(_MEANT)) for each in headings
    )


def _without_what_hides(page: str) -> str:
    """A page without what kreuzberg takes for its head, misreads, or looks not deep enough into."""
    text = _HEAD_ONLY.sub("", _TITLE.sub("", _DATA.sub(r'\1""', page)))
    return shallow(_MISREAD_TAG.sub(_read_right, text))


def _read_right(tag: re.Match[str]) -> str:
    name = _MISREAD[tag["name"].lower()]
    return f"<{tag['end']}{name}{tag['rest']}>" if name else ""


def declared_charset(content: bytes) -> str | None:
    """Return the charset that a page names, as a media type; None where its bytes tell better."""
    match = _XML_CHARSET.search(content[:2048]) or _CHARSET.search(content[:_FAR])
    named = f"text/html; charset={match[1].decode('ascii', 'replace')}" if match else None
    codec = charset_of(named)
    return None if codec is None or _TOLD_BY_BYTES.match(codec) else named
