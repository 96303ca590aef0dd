"""Which function reads which kind of file. A reader is imported when the first file of its kind comes."""

from collections.abc import Callable
from importlib import import_module
from typing import cast

from knowlog.formats.containers import kind_in_ole, kind_in_zip
from knowlog.formats.kinds import COMPOUND, ZIP, Kind
from knowlog.formats.model import Extracted, Limits, Source, without_text

Reader = Callable[[Source, Kind, Limits], Extracted]

READERS: dict[str, str] = {
    "text": "knowlog.formats.text.read_text",
    "markdown": "knowlog.formats.text.read_markdown",
    "table": "knowlog.formats.text.read_table",
    "subtitles": "knowlog.formats.text.read_subtitles",
    "markup": "knowlog.formats.markup.read_markup",
    "book": "knowlog.formats.markup.read_book",
    "mail": "knowlog.formats.mail.read_mail",
    "pdf": "knowlog.formats.pdf.read_pdf",
    "slides": "knowlog.formats.slides.read_slides",
    "open_slides": "knowlog.formats.slides.read_open_slides",
    "open_text": "knowlog.formats.open_text.read_open_text",
    "word": "knowlog.formats.word.read_word",
    "rich_text": "knowlog.formats.rich_text.read_rich_text",
    "old_word": "knowlog.formats.old_word.read_old_word",
    "office": "knowlog.formats.office.read_office",
}
SAFE_IN_PROCESS = frozenset({"text", "markdown", "table", "subtitles"})
"""Readers that are linear-time Python over decoded text: no foreign code, no recursion, no unpacking."""


def read(source: Source, kind: Kind, limits: Limits) -> Extracted:
    """Return the text of a file of a known kind; ParseFailed or UnsupportedType say why there is none."""
    if kind is ZIP:
        kind = kind_in_zip(source, limits)
    elif kind is COMPOUND:
        kind = kind_in_ole(source)
    extracted = reader_for(kind)(source, kind, limits)
    if not extracted.text or extracted.text.isspace():
        raise without_text(kind.what)
    return extracted


def reader_for(kind: Kind) -> Reader:
    """Return the function that reads files of this kind."""
    module, _, name = READERS[kind.reader].rpartition(".")
    return cast(Reader, getattr(import_module(module), name))
