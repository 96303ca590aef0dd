"""What a file is: its bytes decide, its name settles the rest, and a refusal says what to do."""

import pytest

from knowlog.formats import Source, detect
from knowlog.kernel.errors import ParseFailed, UnsupportedType


@pytest.mark.parametrize(
    ("content", "name", "media_type"),
    [
        (b"%PDF-1.7\n", "report.pdf", "application/pdf"),
        (b"%PDF-1.7\n", "report.txt", "application/pdf"),
        (b"junk\n%PDF-1.7\n", "report", "application/pdf"),
        (b"PK\x03\x04rest", "report.docx", "application/zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old.doc", "application/x-ole-storage"),
        (b"{\\rtf1 hello}", "letter.rtf", "application/rtf"),
        (b"# Title\n", "notes.md", "text/markdown"),
        (b"a,b\n1,2\n", "table.csv", "text/csv"),
        (b"<!doctype html><p>x", "page", "text/html"),
        (b"  <html><body>x", "page.bin", "text/html"),
        (b"<?xml version='1.0'?><a/>", "data", "application/xml"),
        (b"From: a@b.c\nSubject: Hi\n\nText", "message", "message/rfc822"),
        (
            b"To: a@b.c\r\nFrom: d@e.f\r\nX-A: b\r\n c\r\nMIME-Version: 1.0\r\n\r\nText",
            "1234.M20",
            "message/rfc822",
        ),
        (b"To: all\nSubject: Hi\n\nMessage-ID: none", "memo", "text/plain"),
        (b"To: all\nSubject: Hi\nthis is text\nMessage-ID: none\n\n", "memo", "text/plain"),
        (
            b"Delivered-To: a@b.c\nReceived: x\nX-Y: " + b"\n z" * 3000 + b"\nTo: a@b.c\n\nText",
            "mail",
            "message/rfc822",
        ),
        (b"From here on, all is text.", "story", "text/plain"),
        (b"\xff\xfeh\x00i\x00", "wide.txt", "text/plain"),
        ("naïve café".encode("latin-1"), "old.txt", "text/plain"),
        (b"plain words", "", "text/plain"),
    ],
)
def test_the_kind_follows_from_bytes_and_name(content: bytes, name: str, media_type: str):
    """Magic bytes beat the name; the name decides between kinds of text."""
    assert detect(Source(content, name)).media_type == media_type


def test_the_claimed_type_settles_a_text_without_a_suffix():
    """A sender that says Markdown is believed, for the bytes do not contradict it."""
    assert detect(Source(b"# Title", "note", "text/markdown; charset=utf-8")).media_type == "text/markdown"


def test_an_empty_file_is_refused():
    """The sentence says that it is empty."""
    with pytest.raises(ParseFailed, match="is empty"):
        detect(Source(b"", "report.pdf"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x1f\x8b\x08rest", "archive"),
        (b"7z\xbc\xaf\x27\x1crest", "archive"),
        (b"\x89PNG\r\n\x1a\n", "image"),
        (b"\x7fELF\x02", "program"),
        (bytes(range(256)) * 16, "no reader"),
        (b"MZ\x00\x01", "no reader"),
        (b"\xff\xfe" + b"\x01\x00" * 3, "no reader"),
    ],
)
def test_what_no_reader_takes_is_refused_with_a_reason(content: bytes, says: str):
    """Archives, pictures, programs and unknown binary data are not read as text."""
    with pytest.raises(UnsupportedType, match=says):
        detect(Source(content, "file"))


def test_bytes_that_are_named_like_a_text_are_refused_as_that():
    """Who sent a .txt is not told to send plain text."""
    with pytest.raises(UnsupportedType, match=r"named like a text file and holds something else"):
        detect(Source(bytes(3000), "notes.txt"))


def test_content_that_contradicts_the_name_is_refused():
    """Text named .pdf is no PDF."""
    with pytest.raises(ParseFailed, match="named like a PDF"):
        detect(Source(b"hello", "report.pdf"))


def test_a_text_in_utf_16_with_a_byte_too_many_is_a_text():
    """As where a line feed was appended by a tool that knows ASCII alone."""
    assert detect(Source("A short note.".encode("utf-16") + b"\n", "note.txt")).reader == "text"


@pytest.mark.parametrize("measured", [bytes(range(256)) * 90, b"words " * 2000 + bytes(range(256)) * 60])
def test_what_begins_with_text_and_holds_other_bytes_is_none(measured: bytes):
    """As pictures of telescopes do."""
    with pytest.raises(UnsupportedType):
        detect(Source(b"SIMPLE = T / file does conform to FITS standard\n" * 100 + measured, "x.fits"))
    assert detect(Source(b"Nine people came.\n" * 1000 + b"\x1a", "x.log")).media_type == "text/plain"
