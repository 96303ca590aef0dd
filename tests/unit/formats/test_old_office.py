"""Files of Office 97: which they are, what is read of them, and what of others is said."""

import struct

import pytest

from knowlog.formats import Limits, Source, detect, read
from knowlog.kernel.errors import KnowlogError, ParseFailed, UnsupportedType
from office_files import zipped
from ole_files import FIELD, FIELD_END, RESULT, doc, ole


def text_of(content: bytes, name: str) -> str:
    """Read a file as ingestion does."""
    source = Source(content, name, None)
    return read(source, detect(source), Limits()).text


def field(instruction: str, shown: str) -> str:
    """What Word writes for a link or a number of a page."""
    return f"{FIELD} {instruction} {RESULT}{shown}{FIELD_END}"


CONTENTS = field("TOC \\o", "Page " + field("PAGEREF _Toc1 \\h", "7"))
LINK = field('HYPERLINK "http://example.com/a"', "the price list")


@pytest.mark.parametrize(("pieces", "text"), [
    ((f"See {LINK} of May.\r",), "See the price list of May."),
    (("See ", f"{LINK} of", " May.\r"), "See the price list of May."),
    ((f"See {FIELD} HYPER", f'LINK "x" {RESULT}the price', f" list{FIELD_END} of May.\r"), "See the price list of May."),
    ((f"{CONTENTS}.\r",), "Page 7."),
    ((f"A {FIELD} TOC {field('X', 'hidden')} {RESULT}b{FIELD_END} c.\r",), "A b c."),
    ((f"A{RESULT}{FIELD_END} b.\r",), "A b."),
    ((f"A{FIELD} XE \"hidden\" {FIELD_END} b.\r",), "A b."),
    ((f"A {FIELD}EQ over(x,y){FIELD_END} b.\r",), "A EQ over(x,y) b."),
    ((f"A {FIELD} never ended, b.\r",), "A never ended, b."),
])  # fmt: skip
def test_instructions_of_fields_are_no_text(pieces: tuple[str, ...], text: str):
    """What they made is; in pieces of either width, within each other, and where they are not paired."""
    assert " ".join(text_of(doc(*pieces), "x.doc").split()) == text


PLAN_PAST_THE_END = struct.pack("<L", 1 << 20)


@pytest.mark.parametrize("at", [0x01A2, 0x01A6])
def test_a_document_whose_pieces_are_not_where_it_says_is_refused(at: int):
    """By its reader, in a sentence."""
    content = bytearray(doc("Nine.\r"))
    start = content.index(struct.pack("<H", 0xA5EC), 512)
    content[start + at : start + at + 4] = PLAN_PAST_THE_END
    with pytest.raises(ParseFailed, match="damaged"):
        text_of(bytes(content), "x.doc")


SLIDES = struct.pack("<LLLL", 0, 20, 20, 0xF3D1C4DF)


@pytest.mark.parametrize(("content", "name", "kind", "said"), [
    (doc("Nine.\r", flags=0x0100), "x.doc", ParseFailed, "password"),
    (ole({"PowerPoint Document": b"x", "Current User": SLIDES}), "x.ppt", ParseFailed, "password"),
    (ole({"EncryptedPackage": b"x"}), "x.docx", ParseFailed, "password"),
    (doc("Nine.\r", version=0xA5DC), "x.doc", UnsupportedType, "before Word 97"),
    (ole({"VisioDocument": b"x"}), "x.vsd", UnsupportedType, "in a format that no reader here takes"),
    (ole({"VisioDocument": b"x"}), "x.doc", ParseFailed, "damaged"),
    (ole({"WordDocument": b"x"})[:700], "x.doc", ParseFailed, "damaged"),
    (zipped({"FixedDocSeq.fdseq": "<x/>"}), "x.xps", UnsupportedType, "XPS document"),
    (zipped({"Index/Document.iwa": "x"}), "x.pages", UnsupportedType, "export it as PDF"),
    (zipped({"a.txt": "x"}), "x.zip", UnsupportedType, "archive"),
])  # fmt: skip
def test_what_is_not_read_is_told(content: bytes, name: str, kind: type[KnowlogError], said: str):
    """A password, an earlier Word, another program: each what to do."""
    with pytest.raises(kind, match=said):
        text_of(content, name)


@pytest.mark.parametrize(
    "streams", [{"WORKBOOK": b"x"}, {"Workbook": b"x", "x": "WordDocument".encode("utf-16-le")}]
)
def test_a_workbook_is_one_by_the_names_of_its_streams(streams: dict[str, bytes]):
    """In capitals, too, and whatever lies within them."""
    with pytest.raises(ParseFailed, match="Excel 97"):
        text_of(ole(streams), "x.bin")
