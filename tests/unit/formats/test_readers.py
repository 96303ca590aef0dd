"""Documents written here byte by byte, read with their pages and headings."""

import email.message
import io
import re
import zipfile

import pytest

from knowlog.formats import Extracted, Limits, Source, detect, read
from knowlog.kernel.errors import KnowlogError, ParseFailed, UnsupportedType
from office_files import docx, pptx, slide, xlsx, zipped
from ole_files import ole
from paged_pdf import paged_pdf


def pdf(*pages: str, trailer: str = "") -> bytes:
    """Write a PDF with one line a page."""
    return paged_pdf([[page] for page in pages], trailer=trailer)


def extracted(content: bytes, name: str, limits: Limits | None = None) -> Extracted:
    """Detect and read a file, here in the test process."""
    source = Source(content, name)
    return read(source, detect(source), limits or Limits())


def test_a_pdf_has_its_pages():
    """Each page's span is its own text."""
    found = extracted(pdf("First page", "", "Third page"), "a.pdf")
    assert [found.text[page.start : page.end] for page in found.pages] == ["First page", "", "Third page"]
    assert [page.number for page in found.pages] == [1, 2, 3]


@pytest.mark.parametrize(
    ("title", "wanted"),
    [
        ("Pump manual", "Pump manual"),
        ("0001410636-22-000048", None),
        ("manual.docx", None),
        ("2.1", None),
        ("(anonymous)", None),
        ("Letters (anonymous)", "Letters (anonymous)"),
    ],
)
def test_a_title_says_something(title, wanted):
    """A number or a file name that a program put there is no title."""
    assert extracted(paged_pdf([["Text"]], title), "a.pdf").title == wanted


def test_a_date_in_a_sheet_has_no_time_and_a_time_no_date():
    """Such as no spreadsheet shows; what has both keeps both."""
    cells = [("A1", 1, "46085"), ("B1", 2, "0.3020833333"), ("C1", 1, "46085.5625"), ("D1", 0, "7.5")]
    row = "".join(f'<c r="{place}" s="{style}"><v>{value}</v></c>' for place, style, value in cells)
    found = extracted(xlsx(row), "a.xlsx")
    assert found.text.splitlines()[2] == "| 2026-03-04 | 07:15:00 | 2026-03-04 13:30:00 | 7.5 |"


def test_a_presentation_has_its_slides():
    """One page per slide, its title a heading, the speaker's order kept."""
    found = extracted(pptx(slide("Results", "Up by ten", "Down by one"), slide("Plans", "Go on")), "a.pptx")
    assert found.text == "# Results\n\n- Up by ten\n- Down by one\n\n# Plans\n\nGo on"
    assert [mark.title for mark in found.headings] == ["Results", "Plans"]
    assert found.text[found.pages[1].start :] == "# Plans\n\nGo on"


def test_a_word_document_is_read():
    """Paragraphs are divided by blank lines."""
    assert extracted(docx("Alpha", "Beta"), "a.docx").text == "Alpha\n\nBeta"


def test_marks_in_a_word_document_are_its_text():
    """Stars, hashes and brackets that somebody typed are kept, and make no headings."""
    found = extracted(docx("# 5 * 3 *is* 15", "1. a_b ~c~ `d` x\\y"), "a.docx")
    assert found.text == "# 5 * 3 *is* 15\n\n1. a_b ~c~ `d` x\\y"
    assert found.headings == ()


def test_a_web_page_keeps_structure_and_loses_code():
    """Title, headings and tables stay; scripts, styles and link targets go; the declared charset is used."""
    page = (
        '<html><head><meta charset="windows-1252"><title>Café &amp; Co</title><style>p{}</style></head>'
        "<body><h1>Menu</h1><script>steal()</script><p>See <a href='http://x.example/'>the <b>list</b></a>."
        "</p><table><tr><th>Cake</th><th>Price</th></tr><tr><td>Grün</td><td>3</td></tr></table></body></html>"
    )
    found = extracted(page.encode("cp1252"), "menu.html")
    assert found.title == "Café & Co"
    assert [(mark.level, mark.title, mark.start) for mark in found.headings] == [(1, "Menu", 0)]
    assert "See the list." in found.text
    assert "| Grün" in found.text
    assert "steal" not in found.text


@pytest.mark.parametrize("charset", ["koi8-r", "windows-1251"])
def test_a_web_page_whose_sender_names_no_charset_is_read_in_its_own(charset: str):
    """Browsers, curl and the command line send text/html, and no more."""
    page = f"<html><head><meta charset='{charset}'><title>Склад</title></head><body><p>Девять осталось.</p></body></html>"
    source = Source(page.encode(charset), "stock.html", "text/html")
    found = read(source, detect(source), Limits())
    assert (found.title, found.text) == ("Склад", "Девять осталось.")


@pytest.mark.parametrize(
    ("named", "encoding"),
    [("iso-8859-1", "cp1252"), ("iso-8859-1", "utf-8"), ("utf-8", "cp1252"), ("utf-16", "utf-8")],
)
def test_a_web_page_that_names_a_charset_which_its_bytes_are_not_is_read_by_its_bytes(
    named: str, encoding: str
):
    """Many say Latin-1 and are Windows' Western text, or UTF-8; what is read as ASCII so far is no UTF-16."""
    page = f"<meta charset='{named}'><title>Öffnung</title><body><p>It said “closed”.</p></body>"
    source = Source(page.encode(encoding), "open.html", "text/html")
    found = read(source, detect(source), Limits())
    assert (found.title, found.text) == ("Öffnung", "It said “closed”.")


def test_a_message_has_its_subject_body_and_attachments():
    """The subject is the title; a readable attachment is read, another is named with the reason."""
    message = email.message.EmailMessage()
    message["Subject"], message["From"], message["To"] = (
        "Invoice für Mai",
        "Ann <ann@x.example>",
        "bob@x.example",
    )
    message.set_content("Please pay.")
    message.add_attachment("a,b\n1,2\n", subtype="csv", filename="sums.csv")
    message.add_attachment(b"\x89PNG\r\n\x1a\n", maintype="image", subtype="png", filename="logo.png")
    found = extracted(message.as_bytes(), "mail.eml")
    assert found.title == "Invoice für Mai"
    assert found.text.startswith(
        "# Invoice für Mai\n\nFrom: Ann <ann@x.example>\nTo: bob@x.example\n\nPlease pay."
    )
    assert "## Attachment: sums.csv\n\n| a | b |" in found.text
    assert "(not read: The file is an image" in found.text
    assert all(found.text[mark.start :].lstrip("# ").startswith(mark.title) for mark in found.headings)


def test_an_attached_text_is_read_in_the_charset_that_its_part_names():
    """Without it, what is no UTF-8 would be read as Western text."""
    message = email.message.EmailMessage()
    message["Subject"], message["From"] = "Stock", "Ann <ann@x.example>"
    message.set_content("See the list.")
    attached = "Девять осталось.".encode("koi8-r")
    message.add_attachment(
        attached, maintype="text", subtype="plain", filename="list.txt", params={"charset": "koi8-r"}
    )
    assert "Девять осталось." in extracted(message.as_bytes(), "mail.eml").text


def test_a_picture_of_text_is_refused():
    """A PDF without a text layer says that it needs text recognition."""
    with pytest.raises(ParseFailed, match="no text layer"):
        extracted(pdf(""), "scan.pdf")


def test_a_pdf_with_a_password_is_refused():
    """The reason is the password, not damage."""
    secret = (
        "/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <"
        + "41" * 32
        + "> /U <"
        + "42" * 32
        + "> >> /ID [<41> <41>] "
    )
    with pytest.raises(ParseFailed, match="password"):
        extracted(pdf("Secret", trailer=secret), "a.pdf")


def test_an_office_document_with_a_password_is_refused():
    """Encrypted Office documents are OLE containers with an encrypted package inside."""
    content = ole({"EncryptedPackage": b"x"})
    with pytest.raises(ParseFailed, match="password"):
        extracted(content, "a.docx")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (pdf("Hello")[:60], "a.pdf"),
        (docx("Hello")[:-30], "a.docx"),
        (docx("Hello")[:40], "a.docx"),
        (zipped({"[Content_Types].xml": "x", "word/document.xml": "<w:document"}), "a.docx"),
        (zipped({"[Content_Types].xml": "x", "xl/workbook.xml": "no"}), "a.xlsx"),
        (zipped({"[Content_Types].xml": "x", "ppt/presentation.xml": "<p"}), "a.pptx"),
        (zipped({"mimetype": "application/epub+zip"}), "a.epub"),
        (zipped({"mimetype": "application/vnd.oasis.opendocument.presentation"}), "a.odp"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "a.doc"),
    ],
)
def test_a_damaged_file_is_refused_with_a_reason(content: bytes, name: str):
    """Never an error of a library: a sentence that says what to do."""
    with pytest.raises(KnowlogError, match=r"Upload|upload") as refused:
        extracted(content, name)
    assert ".)" not in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_presentation_that_defines_entities_is_refused(encoding: str):
    """No office program writes them; they are there to swell. Nor does another encoding hide them."""
    told = f'<?xml version="1.0" encoding="{encoding}"?>'.encode(
        "utf-16" if encoding == "utf-16" else "ascii"
    )
    entities = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><p:presentation>&b;</p:presentation>'
    bomb = told + entities.encode("utf-16-le" if encoding == "utf-16" else encoding)
    with pytest.raises(ParseFailed, match="entities"):
        extracted(zipped({"[Content_Types].xml": "x", "ppt/presentation.xml": bomb}), "a.pptx")


def test_a_container_that_unpacks_to_too_much_is_refused_unopened():
    """The directory of the container is enough to know."""
    bomb = zipped({"[Content_Types].xml": "x", "word/document.xml": bytes(3_000_000)})
    with pytest.raises(ParseFailed, match="unpacks to more than 2 MB"):
        extracted(bomb, "a.docx", Limits(max_unpacked_bytes=2 * 2**20))


@pytest.mark.parametrize(("name", "member"), [("a.docx", "word/x.bin"), ("a.epub", "x.xhtml")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_part_that_is_there_many_times_is_unpacked_once(monkeypatch, name: str, member: str):
    """Each of its entries stands for the last one: a small file would be unpacked for hours."""
    packed = io.BytesIO(docx("Hello") if name == "a.docx" else book("<p>Hello</p>"))
    with zipfile.ZipFile(packed, "a") as archive:
        for _ in range(20):
            archive.writestr(member, "Words.")
    opened: list[str] = []
    open_ = zipfile.ZipFile.open

    def opening(archive: zipfile.ZipFile, part: str | zipfile.ZipInfo, *more: object, **named: object):
        opened.extend([part] if isinstance(part, str) else [])
        return open_(archive, part, *more, **named)

    monkeypatch.setattr(zipfile.ZipFile, "open", opening)
    assert extracted(packed.getvalue(), name).text == "Hello"
    assert opened.count(member) == 1


@pytest.mark.parametrize("kind", ["epub+zip", "vnd.oasis.opendocument.text"])
@pytest.mark.parametrize(("place", "value"), [(6, 1), (30 + len("mimetype"), 0xFF)])
def test_a_container_whose_kind_cannot_be_read_is_refused(kind: str, place: int, value: int):
    """Its first part has a password, or is damaged."""
    content = bytearray(zipped({"mimetype": f"application/{kind}"}))
    content[place] = value
    content[content.index(b"PK\x01\x02") + 8] = value & 1 if place == 6 else 0
    with pytest.raises(ParseFailed):
        extracted(bytes(content), "a.bin")


def test_more_pages_than_allowed_are_refused():
    """The reason names the limit."""
    with pytest.raises(ParseFailed, match="more than 2 pages"):
        extracted(pdf("a", "b", "c"), "a.pdf", Limits(max_pages=2))


def test_an_archive_is_not_a_document():
    """A ZIP file of files is to be unpacked by its sender."""
    with pytest.raises(UnsupportedType, match="unpack it"):
        extracted(zipped({"a.txt": "hello"}), "a.zip")


def test_a_form_is_a_part_of_its_page():
    """Some programs put whole pages into one."""
    page = b"""<html><body><FORM id="aspnetForm" action="page.aspx"><h1>Stock</h1><p>Nine<input name=n value=9> left.
        <table><form><tr><td>cell</td></tr></form></table></form><p>Sold daily.</body></html>"""
    text = extracted(page, "page.html").text
    assert [line.strip("# |") for line in text.splitlines() if line.strip(" |-")] == [
        "Stock", "Nine left.", "cell", "Sold daily.",
    ]  # fmt: skip


@pytest.mark.parametrize(("body", "text"), [
    ("<a href=x><div><h3>Stock</h3><p>Nine left.</p></div></a><a href=y><p>Ten sold.</p></a>",
     "### Stock\n\nNine left.\n\nTen sold."),
    ("<a name=top></a><p>Nine <a title='a > b' href='a(b)'>[left]</a>.</p>", "Nine [left]."),
    ("<b><p>Nine left.</p><p>Ten sold.</p></b>", "Nine left.\n\nTen sold."),
    ("<p>Nine <mark>left</mark>, <ins>ten</ins> sold.</p>", "Nine left, ten sold."),
    ("<details><summary><h3>Stock</h3></summary><p>Nine left.</p></details>", "### Stock\n\nNine left."),
    ("<p>Press <svg viewBox='0 0 1 1'><title>Disk</title><path d='M1'/></svg> to save.</p>", "Press to save."),
    ("<svg><desc>Drawn</desc><text>Nine left</text><text>Ten sold</text></svg>", "Nine left\n\nTen sold"),
    ("<p>For <math><semantics><mrow><mi>x</mi><mo>=</mo><mn>9</mn></mrow><annotation>x = 9</annotation></semantics>"
     "</math> left.</p>", "For x=9 left."),
])  # fmt: skip
def test_a_page_is_read_as_it_shows(body: str, text: str):
    """Blocks stay apart in what holds them, and no word comes in that the page does not have."""
    page = f"<html><head><title>Stock</title></head><body>{body}</body></html>"
    assert extracted(page.encode(), "page.html").text == text


@pytest.mark.parametrize("said", [
    "2*3*4 makes 24", "*x* or **y**", "5~~6~~7", "f[i](x) is called", "see <a href=u>[1]</a>(p. 5)",
    "write &#65; for A", "a <code>*b*</code>",
])  # fmt: skip
@pytest.mark.parametrize(
    "around", ["<p>{}</p>", "<ul><li>{}</ul>", "<h2>{}</h2>", "<table><tr><td>{}</table>"]
)
def test_signs_in_a_page_are_no_markdown(said: str, around: str):
    """A page holds text; a size of 2*3*4 is not one of 234. What is set in bold loses its marks alone."""
    page = around.format(f"{said.replace('&', '&amp;')}, <b>bold</b>, <i>it</i>")
    found = extracted(f"<body>{page}".encode(), "page.html")
    plain = re.sub("<.*?>", "", said)
    assert f"{plain}, bold, it" in found.text.replace("`", "")
    assert [each.title.replace("`", "") for each in found.headings] == [f"{plain}, bold, it"] * (
        "h2" in around
    )


def book(body: str) -> bytes:
    """An EPUB of one page."""
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
            '<rootfiles><rootfile full-path="c.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
            "c.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata '
            'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Stock</dc:title></metadata><manifest><item id="a" '
            'href="a.xhtml" media-type="application/xhtml+xml"/><item id="b" href="b.png" media-type="image/png"/>'
            '</manifest><spine><itemref idref="a"/></spine></package>',
            "a.xhtml": f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body>{body}</body></html>',
            "b.png": "no picture",
        }
    )


@pytest.mark.parametrize(("body", "text"), [
    ("<h1>Stock</h1><p>Neun <b>Stück</b>.</p>", "# Stock\n\nNeun Stück."),
    ("<a href='x'><h3>Stock</h3><p>Nine left.</p></a>", "### Stock\n\nNine left."),
    ("<p><a id='p1'/>Press <svg><path d='M1'/></svg> to save.</p>", "Press to save."),
])  # fmt: skip
def test_a_book_is_read_as_its_pages_show(body: str, text: str):
    """As a page of the web is."""
    found = extracted(book(body), "stock.epub")
    assert (found.title, found.text) == ("Stock", text)


def message(*parts: tuple[str, str], kind: str = "mixed") -> str:
    """Read a message of these parts, each with its type; returns what stands below its subject."""
    body = "".join(f"--B\r\nContent-Type: {given}\r\n\r\n{content}\r\n" for given, content in parts)
    head = f"Subject: Stock\r\nContent-Type: multipart/{kind}; boundary=B\r\n\r\n"
    return extracted(f"{head}{body}--B--".encode(), "mail.eml").text.removeprefix("# Stock").strip()


@pytest.mark.parametrize("plain", ["", " \r\n"])
def test_a_message_whose_plain_text_is_empty_is_read_in_html(plain: str):
    """Some programs send both, and put nothing into the one."""
    parts = ("text/plain", plain), ("text/html", "<p>Nine left.</p>")
    assert message(*parts, kind="alternative") == "Nine left."


def test_a_message_in_html_without_text_is_read_all_the_same():
    """What is attached to a picture."""
    parts = ("text/html", "<img src='cid:logo'>"), ("text/csv; name=stock.csv", "a,b\r\nNine,left")
    assert "| Nine | left |" in message(*parts)


SAID = ("text/plain", "Nine left.")
LISTED = ("text/csv; name=stock.csv", "a,b\r\nTen,sold")
ATTACHED = "## Attachment: stock.csv\n\n| a | b |\n| --- | --- |\n| Ten | sold |"


def nested(kind: str, *parts: tuple[str, str]) -> tuple[str, str]:
    """A part that holds parts; each level has a boundary of its own."""
    edge = f"{kind}-{sum(len(content) for _, content in parts)}"
    body = "".join(f"--{edge}\r\nContent-Type: {given}\r\n\r\n{content}\r\n" for given, content in parts)
    return f"multipart/{kind}; boundary={edge}", f"{body}--{edge}--\r\n"


@pytest.mark.parametrize(("kind", "parts"), [
    ("alternative", (SAID, nested("mixed", ("text/html", "<p>Nine left."), LISTED, ("text/html", "<p>Bye.")))),
    ("signed", (nested("mixed", SAID, LISTED),)),
    ("mixed", (nested("mixed", SAID, LISTED),)),
    ("mixed", (nested("related", ("text/html", "<p>Nine left."), LISTED),)),
    ("mixed", (nested("alternative", SAID, nested("related", ("text/html", "<p>Nine left."), LISTED)),)),
    ("mixed", (nested("related", ("text/html", "<p>Nine left."),
                      ("image/png; name=logo.png\r\nContent-ID: <logo>", "x")), LISTED)),
])  # fmt: skip
def test_what_is_attached_within_parts_is_read(kind: str, parts: tuple[tuple[str, str], ...]):
    """As Apple's Mail sends it, and what signs; other forms of the body, and pictures in it, are not read again."""
    assert message(*parts, kind=kind) == f"Nine left.\n\n{ATTACHED}"


def test_a_message_that_is_a_file_alone_is_read():
    """As scanners send them."""
    sent = "Subject: Stock\r\nContent-Type: text/csv; name=stock.csv\r\n\r\na,b\r\nTen,sold\r\n"
    assert extracted(sent.encode(), "mail.eml").text == f"# Stock\n\n{ATTACHED}"


def test_the_foot_of_a_mailing_list_does_not_replace_the_message():
    """The one is in HTML, and the other the only plain text."""
    foot = ("text/plain", "To leave the list, write to us.")
    assert "Nine left." in message(("text/html", "<p>Nine left.</p>"), foot)


@pytest.mark.parametrize(("named", "encoding"), [
    ("text/plain", "latin-1"), ("text/plain; charset=us-ascii", "latin-1"), ("text/plain; charset=us-ascii", "utf-8"),
    ("text/plain; charset=unknown-8bit", "latin-1"), ("text/html", "latin-1"), ("text/plain; charset=koi8-r", "koi8-r"),
])  # fmt: skip
def test_a_message_whose_charset_is_not_named_is_read_by_its_bytes(named: str, encoding: str):
    """As a file is, for which nobody names one."""
    words = "Девять осталось." if encoding == "koi8-r" else "Neun Stück übrig, zehn groß."
    sent = f"Subject: Stock\r\nContent-Type: {named}\r\n\r\n".encode() + words.encode(encoding)
    assert extracted(sent, "mail.eml").text == f"# Stock\n\n{words}"


def test_a_message_in_html_that_names_its_charset_in_its_head_is_read_in_that():
    """Where the mail itself names none."""
    page = '<html><head><meta charset="koi8-r"></head><body>Девять осталось.</body></html>'
    sent = b"Subject: Stock\r\nContent-Type: text/html\r\n\r\n" + page.encode("koi8-r")
    assert extracted(sent, "mail.eml").text == "# Stock\n\nДевять осталось."


@pytest.mark.parametrize("charset", ["no-such", "idna", "undefined", "a\0b"])
def test_a_message_in_a_charset_that_is_none_is_read(charset: str):
    """As UTF-8, like one that says none."""
    sent = f'Subject: Stock\r\nContent-Type: text/plain; charset="{charset}"\r\n\r\nNine left.\r\n'
    assert extracted(sent.encode(), "mail.eml").text == "# Stock\n\nNine left."


def test_what_is_attached_beyond_the_limit_is_told():
    """With the number that is read."""
    assert message(SAID, *[LISTED] * 51).endswith(
        "## Attachment: others\n\n(not read: they come after 50 others)"
    )


def test_a_message_in_a_message_is_named():
    """As one that is not read, however it is attached."""
    assert message(("text/plain", "See below."), ("message/rfc822", "Subject: Inner\r\n\r\nNine.")) == (
        "See below.\n\n## Attachment: message/rfc822\n\n(a message in a message is not read)"
    )
