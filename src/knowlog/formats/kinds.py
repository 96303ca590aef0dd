"""What kind of file is this? The first bytes decide; name and claimed type only settle what they leave open.

Looks at no more than the head of a file, so that it costs the same for every size and is safe in any process.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from knowlog.formats.decoding import to_text
from knowlog.formats.model import Source
from knowlog.kernel.errors import ParseFailed, UnsupportedType

HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: `reader` names it in the registry, `what` in a sentence ("a PDF")."""

    reader: str
    media_type: str
    what: str


_OOXML = "application/vnd.openxmlformats-officedocument."
_ODF = "application/vnd.oasis.opendocument."

TEXT = Kind("text", "text/plain", "a text file")
MARKDOWN = Kind("markdown", "text/markdown", "a Markdown file")
HTML = Kind("markup", "text/html", "a web page")
XML = Kind("markup", "application/xml", "an XML file")
PDF = Kind("pdf", "application/pdf", "a PDF")
RTF = Kind("rich_text", "application/rtf", "an RTF document")
EMAIL = Kind("mail", "message/rfc822", "an e-mail")
DOCX = Kind("word", _OOXML + "wordprocessingml.document", "a Word document")
XLSX = Kind("office", _OOXML + "spreadsheetml.sheet", "an Excel workbook")
XLSB = Kind("office", "application/vnd.ms-excel.sheet.binary.macroEnabled.12", "a binary Excel workbook")
PPTX = Kind("slides", _OOXML + "presentationml.presentation", "a PowerPoint presentation")
ODT = Kind("open_text", _ODF + "text", "an OpenDocument text")
ODS = Kind("office", _ODF + "spreadsheet", "an OpenDocument spreadsheet")
ODP = Kind("open_slides", _ODF + "presentation", "an OpenDocument presentation")
EPUB = Kind("book", "application/epub+zip", "an EPUB book")
DOC = Kind("old_word", "application/msword", "a Word 97 document")
XLS = Kind("office", "application/vnd.ms-excel", "an Excel 97 workbook")
PPT = Kind("office", "application/vnd.ms-powerpoint", "a PowerPoint 97 presentation")
MSG = Kind("office", "application/vnd.ms-outlook", "an Outlook message")
ZIP = Kind("zip", "application/zip", "a ZIP container")
COMPOUND = Kind("compound", "application/x-ole-storage", "an Office 97 file")

_BY_SUFFIX: dict[str, Kind] = {
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd", ".mdx"), MARKDOWN),
    **dict.fromkeys((".html", ".htm", ".xhtml"), HTML),
    **dict.fromkeys((".eml", ".mbox"), EMAIL),
    **dict.fromkeys((".docx", ".docm", ".dotx"), DOCX),
    **dict.fromkeys((".xlsx", ".xlsm", ".xltx"), XLSX),
    **dict.fromkeys((".pptx", ".pptm", ".ppsx", ".potx"), PPTX),
    **dict.fromkeys((".doc", ".dot"), DOC),
    **dict.fromkeys((".xls", ".xlt"), XLS),
    **dict.fromkeys((".ppt", ".pps"), PPT),
    ".xlsb": XLSB,
    ".xml": XML,
    ".pdf": PDF,
    ".rtf": RTF,
    ".odt": ODT,
    ".ods": ODS,
    ".odp": ODP,
    ".epub": EPUB,
    ".msg": MSG,
    ".csv": Kind("table", "text/csv", "a CSV file"),
    ".tsv": Kind("table", "text/tab-separated-values", "a TSV file"),
    ".json": Kind("text", "application/json", "a JSON file"),
    ".vtt": Kind("subtitles", "text/vtt", "a subtitle file"),
    ".srt": Kind("subtitles", "application/x-subrip", "a subtitle file"),
    ".rst": Kind("markdown", "text/x-rst", "a reStructuredText file"),
}
_BY_SUFFIX |= {
    suffix: Kind("text", f"text/x-{language}", f"a {name} program")
    for language, name, suffixes in (
        ("python", "Python", (".py", ".pyi")),
        ("javascript", "JavaScript", (".js", ".mjs", ".cjs", ".jsx")),
        ("typescript", "TypeScript", (".ts", ".mts")),
        ("tsx", "TypeScript", (".tsx",)),
        ("java", "Java", (".java",)),
        ("go", "Go", (".go",)),
        ("rust", "Rust", (".rs",)),
        ("c", "C", (".c", ".h")),
        ("cpp", "C++", (".cpp", ".cc", ".cxx", ".hpp", ".hh")),
    )
    for suffix in suffixes
}
_BY_MEDIA_TYPE: dict[str, Kind] = {
    **{kind.media_type: kind for kind in _BY_SUFFIX.values()},
    "application/x-yaml": TEXT,
    "text/xml": XML,
    "text/rtf": RTF,
}
_TEXT_READERS = frozenset({"text", "markdown", "markup", "table", "subtitles", "mail"})

_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", COMPOUND),
    (b"{\\rtf", RTF),
)
_ARCHIVE = "an archive: unpack it and upload the files in it"
_IMAGE = "an image: text in images is not recognised, upload the document that it shows"
_PROGRAM = "a program, which holds no text to search: upload what is written about it, such as its manual"
_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", _ARCHIVE),
    (b"\x1f\x9d", _ARCHIVE),
    (b"BZh", _ARCHIVE),
    (b"\xfd7zXZ\x00", _ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", _ARCHIVE),
    (b"Rar!\x1a\x07", _ARCHIVE),
    (b"\x28\xb5\x2f\xfd", _ARCHIVE),
    (b"]\x00\x00", _ARCHIVE),
    (b"\x89PNG\r\n", _IMAGE),
    (b"\xff\xd8\xff", _IMAGE),
    (b"GIF8", _IMAGE),
    (b"II*\x00", _IMAGE),
    (b"MM\x00*", _IMAGE),
    (b"\x7fELF", _PROGRAM),
    (b"MZ\x90\x00", _PROGRAM),
    (b"ITSF", "a Windows help file: upload the pages as HTML or PDF"),
)
_HTML_HEAD = re.compile(
    rb"\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_XML_HEAD = re.compile(rb"\s*<(?:\?xml|!DOCTYPE)\b")
_MAIL_HEAD = re.compile(
    rb"(?:Return-Path|Received|Delivered-To|From|MIME-Version|Message-ID): ", re.IGNORECASE
)
_MAIL_FIELD = re.compile(rb"^(?:From|Subject|MIME-Version|Message-ID): ", re.IGNORECASE | re.MULTILINE)
_FIELD = re.compile(rb"([!-9;-~]+):[ \t]|[ \t]")
_WRITTEN_BY_PEOPLE = frozenset((b"from", b"to", b"subject", b"date", b"cc"))
_WRITTEN_ON_THE_WAY = frozenset((b"mime-version", b"message-id", b"received"))
_WRITTEN_ON_ARRIVAL = frozenset((b"delivered-to", b"return-path", b"arc-seal", b"dkim-signature"))
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_NO_CHARACTER = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffd]")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def detect(source: Source) -> Kind:
    """Return the kind of a file.

    UnsupportedType when no reader takes it; ParseFailed when it is empty or its bytes contradict its name.
    """
    head = source.content[:HEAD_BYTES]
    if not source.content:
        raise ParseFailed("The file is empty. Upload one that holds text.")
    named = named_kind(source)
    found = _by_magic(head, named)
    if found is not None:
        return found
    if named is not None and named.reader not in _TEXT_READERS:
        raise ParseFailed(
            f"The file is named like {named.what} and its content is not one."
            " Check that it was saved and sent whole, and upload it again."
        )
    if not looks_like_text(head):
        raise UnsupportedType(_no_text(source, named))
    kind = named or _by_text(head)
    if kind is not EMAIL and not looks_like_text(source.content):  # a mail may carry bytes as they are
        raise UnsupportedType(_no_text(source, named))
    return kind


def _no_text(source: Source, named: Kind | None) -> str:
    plain = PurePosixPath(source.filename).suffix.lower() == ".txt"  # no kind by its name: it may hold a mail
    meant = named or (TEXT if plain else None)
    if meant is None:
        return unsupported(source)
    return (
        f"The file is named like {meant.what} and holds something else than text."
        " Check that it was saved and sent whole, and upload it again."
    )


def looks_like_text(content: bytes) -> bool:
    """Tell whether a file is text in UTF-8, UTF-16 or an 8-bit alphabet, by its head, and its middle and end if given.

    Pictures and measurements may begin with pages of text.
    """
    head = content[:HEAD_BYTES]
    if head.startswith(_UTF16_MARKS):
        return _reads_well(head)
    nul_share = head.count(0) / max(1, len(head))
    if nul_share > 0.2:  # UTF-16 without a mark: every other byte of western text
        return _looks_like_utf16(head) and _reads_well(head)
    middle = max(0, len(content) - HEAD_BYTES) // 2
    parts = (head, content[middle : middle + HEAD_BYTES], content[-HEAD_BYTES:])
    return all(len(_BINARY.findall(part)) <= len(part) // 50 for part in parts)


def _reads_well(head: bytes) -> bool:
    """Whether hardly any of its characters are control characters or none; half a character may stand at the end."""
    text = to_text(head[: len(head) // 2 * 2])
    return len(_NO_CHARACTER.findall(text)) <= len(text) // 50


def _looks_like_utf16(head: bytes) -> bool:
    even, odd = head[0::2].count(0), head[1::2].count(0)
    return min(even, odd) * 20 < max(even, odd) and max(even, odd) > 0.4 * len(head) / 2


def named_kind(source: Source) -> Kind | None:
    """The kind that a file's name says, or else its sender."""
    by_name = _BY_SUFFIX.get(PurePosixPath(source.filename).suffix.lower())
    claimed = (source.media_type or "").partition(";")[0].strip().lower()
    return by_name or _BY_MEDIA_TYPE.get(claimed)


def _by_magic(head: bytes, named: Kind | None) -> Kind | None:
    for magic, reason in _REFUSED:
        if head.startswith(magic):
            raise UnsupportedType(f"The file is {reason}.")
    if head[257:262] == b"ustar":
        raise UnsupportedType(f"The file is {_ARCHIVE}.")
    if b"%PDF-" in head[:1024] and (named is None or named is PDF or head.lstrip().startswith(b"%PDF-")):
        return PDF
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    return None


def _by_text(head: bytes) -> Kind:
    if _HTML_HEAD.match(head):
        return HTML
    if _XML_HEAD.match(head):
        return XML
    if _MAIL_HEAD.match(head) and len(_MAIL_FIELD.findall(head)) >= 2:
        return EMAIL
    return EMAIL if _begins_with_fields_of_mail(head) else TEXT


def _begins_with_fields_of_mail(head: bytes) -> bool:
    """Whether nothing but fields stands before the first empty line, as people write them and as programs do."""
    block, end, _ = head.replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = block.split(b"\n")
    if not end and len(head) == HEAD_BYTES:
        lines.pop()  # it is cut
    fields = [_FIELD.match(line) for line in lines]
    names = {found[1].lower() for found in fields if found and found[1]}
    by_people = len(names & _WRITTEN_BY_PEOPLE) >= 2 or bool(names & _WRITTEN_ON_ARRIVAL)
    return all(fields) and by_people and bool(names & _WRITTEN_ON_THE_WAY)


def unsupported(source: Source, reason: str = "in a format that no reader here takes") -> str:
    """Say that no reader takes a file, and what is taken."""
    suffix = PurePosixPath(source.filename).suffix.lower()[:16]
    return (
        f"The file{f' ({suffix})' if suffix.isprintable() and suffix else ''} is {reason}."
        " Upload PDF, Word, Excel, PowerPoint, OpenDocument, EPUB, HTML, Markdown, CSV, e-mail or plain text."
    )
