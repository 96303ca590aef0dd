"""RTF documents: each letter in the alphabet of its font, and nothing that is not shown."""

import pytest

from knowlog.formats import Limits, Source, detect, read

FONTS = (
    rb"{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset238{\*\fname Arial;}Arial CE;}{\f2\fcharset128 MS Mincho;}"
    rb"{\f3\fnil Plain;}{\f4\cpg1251 Other;}{\f5\fcharset2 Symbol;}}"
)


def shown(body: bytes, head: bytes = rb"\ansi\ansicpg1252\deff0") -> str:
    """Read a document with this body."""
    source = Source(rb"{\rtf1" + head + FONTS + body + b"}", "x.rtf", None)
    return read(source, detect(source), Limits()).text


def escaped(text: str, codec: str) -> bytes:
    """Bytes as such documents write them, those of ASCII as themselves."""
    return b"".join(
        b"\\'%02x" % byte if byte >= 0x80 or byte in b"\\{}" else bytes((byte,))
        for byte in text.encode(codec)
    )


CZECH, JAPANESE, RUSSIAN = "Článek týdne, mořský", "ゾルゲの表", "Аренда"


@pytest.mark.parametrize(("body", "text"), [
    (rb"\f1 " + escaped(CZECH, "cp1250"), CZECH),
    (rb"{\f1 " + escaped(CZECH, "cp1250") + rb"} caf\'e9", f"{CZECH} café"),
    (rb"\f1 x\plain  caf\'e9", "x café"),
    (rb"\f2 " + escaped(JAPANESE, "cp932"), JAPANESE),
    (rb"\loch\f0\hich\af0\dbch\af2 " + escaped(JAPANESE, "cp932") + rb"\hich caf\'e9", f"{JAPANESE}café"),
    (rb"\f4 " + escaped(RUSSIAN, "cp1251"), RUSSIAN),
    (rb"\f1 \'c8l\'e1nek\par" + b"\r\n" + rb"t\'fddne", "Článek\n\ntýdne"),
    (rb"\f1\'41\'c8", "AČ"),
    (rb"{\f1 \'c8}l{\f1 \'e1}nek {\i t}ydne", "Článek tydne"),
    (rb"\f1 " + CZECH.encode("cp1250"), CZECH),
    (rb"\f2 a\'83", "a�"),
])  # fmt: skip
def test_a_letter_is_read_in_the_alphabet_of_its_font(body: bytes, text: str):
    """Whatever the document's own is, as Word and WordPad write what is not Western."""
    assert shown(body) == text


def test_a_font_without_an_alphabet_has_the_document_s():
    """As it says of itself."""
    assert shown(rb"\f3 " + escaped(RUSSIAN, "cp1251"), rb"\ansi\ansicpg1251\deff3") == RUSSIAN
    assert shown(rb"\f3 caf\'8e", rb"\mac") == "café"


@pytest.mark.parametrize(("body", "text"), [
    (rb"\u8364? \u-10179?\u-8704? ok", "€ 😀 ok"),
    (rb"\uc2\u24565\'94\'4f ok", "念 ok"), (rb"\uc0\u24565 ok", "念ok"), (rb"{\uc0\u24565 a} \u24565 ?ok", "念a 念ok"),
    (rb"a\~b\_c\-d", "a b-cd"), (rb"\{a\\b\}", "{a\\b}"),
    (rb"a\bin4 {{{{b", "ab"), (rb"a {\pict\pngblip 89504e47}b", "a b"), (rb"a {\*\objdata 0105}b", "a b"),
    (rb"a{\*\hyphen2\hyphlead2} {\i0\*\cs7 b}", "a b"), (rb"{\ul under}{\ulnone line}", "underline"),
    (rb"a\u64256? \u-1280?", "aﬀ ﬀ"),
])  # fmt: skip
def test_signs_are_read_and_what_is_not_shown_is_left_out(body: bytes, text: str):
    """Characters in two halves, what stands for them elsewhere, hyphens, pictures, marks that mean no group."""
    assert shown(body) == text


@pytest.mark.parametrize(
    "body", [b"}" * 50, b"{" * 50, b"\\", b"\\u", b"\\'4", b"\\bin999999999 x", b"\\f999999999 x"]
)
def test_what_is_cut_off_or_uneven_is_read_as_far_as_it_goes(body: bytes):
    """And no more."""
    assert shown(b"Nine people. " + body).startswith("Nine people.")
