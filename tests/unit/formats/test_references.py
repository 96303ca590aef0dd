"""Signs that XML writes as references are a part of what is read."""

import io
import zipfile

import pytest

from knowlog.formats import Extracted, Limits, Source, detect, read

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
ALTERNATIVES = (
    '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice><w:drawing>'
    "{0}</w:drawing></mc:Choice><mc:Fallback><w:pict>{0}</w:pict></mc:Fallback></mc:AlternateContent>"
)
SENT = "R&amp;D at 3&lt;5 &gt;2 of &quot;caf&#233;&#xE9;s&quot; &#38;&#x3c;; &amp;lt; stays"
MEANT = 'R&D at 3<5 >2 of "caféés" &<; &lt; stays'


def word(body: str) -> Extracted:
    """Read a Word document with such a body."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as parts:
        parts.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{PACKAGE}/content-types"><Override PartName="/word/document.xml" ContentType="application/'
            'vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
        )
        parts.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="a" Type="{OFFICE}/officeDocument"'
            ' Target="word/document.xml"/></Relationships>',
        )
        parts.writestr("word/document.xml", f"<w:document {W}><w:body>{body}</w:body></w:document>")
    source = Source(packed.getvalue(), "stock.docx")
    return read(source, detect(source), Limits())


def paragraph(text: str, properties: str = "") -> str:
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


@pytest.mark.parametrize("around", ["{}", "<w:tbl><w:tr><w:tc>{}</w:tc></w:tr></w:tbl>"])
def test_a_word_document_keeps_its_signs(around: str) -> None:
    """In paragraphs and in cells."""
    assert MEANT in word(around.format(paragraph(SENT))).text


def test_a_heading_keeps_its_signs() -> None:
    """Also where it stands above what is cited."""
    found = word(paragraph(SENT, '<w:pPr><w:pStyle w:val="Heading1"/></w:pPr>') + paragraph("x"))
    assert [each.title for each in found.headings] == [MEANT]
    assert found.text.startswith(f"## {MEANT}\n")


def test_plain_xml_keeps_its_signs() -> None:
    """They do not cut a text into pieces."""
    source = Source(
        f'<?xml version="1.0"?><note><about a="x &amp; y">{SENT}</about></note>'.encode(), "a.xml"
    )
    assert MEANT in read(source, detect(source), Limits()).text


def test_what_means_no_character_is_left_out() -> None:
    """A lone half of a pair, zero, and a number that is too high."""
    assert word(paragraph("Nine &#xD800;&#0;&#9999999;left.")).text.split() == ["Nine", "left."]


def test_tabs_and_hyphens_that_do_not_break_keep_words_apart() -> None:
    """Each is an element of its own; so are the tabs of a style, which stand for no text."""
    run = "<w:r><w:t>A</w:t><w:noBreakHyphen/><w:t>12</w:t><w:tab/><w:t>left</w:t></w:r>"
    style = '<w:pPr><w:tabs><w:tab w:val="left" w:pos="720"/></w:tabs></w:pPr>'
    assert word(f"<w:p>{style}{run}</w:p>").text == "A-12 left"


@pytest.mark.parametrize("holder", ["<w:pict>{}</w:pict>", ALTERNATIVES])
def test_a_text_box_does_not_hide_its_paragraph(holder: str) -> None:
    """Nor the paragraph the box."""
    box = holder.format(f"<w:txbxContent>{paragraph('Ten')}{paragraph('sold.')}</w:txbxContent>")
    held = f"<w:p><w:r>{box}</w:r><w:r><w:t>Nine left.</w:t></w:r></w:p>"
    assert word(held + paragraph("Bye.")).text == "Ten sold. Nine left.\n\nBye."
