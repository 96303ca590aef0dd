"""OpenDocument texts, written here: what stands in them anywhere is read."""

import io
import zipfile

import pytest

from knowlog.formats import Limits, Source, detect, read
from knowlog.kernel.errors import ParseFailed

SPACES = "".join(
    f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{space}:1.0"'
    for name, space in {"office": "office", "text": "text", "table": "table", "draw": "drawing"}.items()
)


def text_of(body: str) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr(
            "content.xml",
            f"<office:document-content{SPACES}><office:body><office:text>{body}</office:text></office:body>"
            "</office:document-content>",
        )
    source = Source(buffer.getvalue(), "stock.odt")
    return read(source, detect(source), Limits()).text


def paragraph(content: str) -> str:
    return f"<text:p>{content}</text:p>"


def table(*cells: str) -> str:
    row = "".join(f"<table:table-cell>{each}</table:table-cell>" for each in cells)
    return f"<table:table><table:table-row>{row}</table:table-row></table:table>"


def listed(*items: str) -> str:
    return f"<text:list>{''.join(f'<text:list-item>{each}</text:list-item>' for each in items)}</text:list>"


NINE, TEN = paragraph("Nine left."), paragraph("Ten sold.")
NOTE = (
    f"<text:note><text:note-citation>1</text:note-citation><text:note-body>{TEN}</text:note-body></text:note>"
)

BOX = f"<draw:frame><draw:text-box>{TEN}</draw:text-box></draw:frame>"
SHAPE = f"<draw:g><draw:custom-shape>{TEN}</draw:custom-shape></draw:g>"


def grouped(kind: str, cell: str) -> str:
    """A table whose rows stand in a group."""
    row = f"<table:table-row><table:table-cell>{paragraph(cell)}</table:table-cell></table:table-row>"
    return f"<table:table><table:{kind}>{row}</table:{kind}></table:table>"


@pytest.mark.parametrize(("body", "text"), [
    (NINE + TEN, "Nine left.\n\nTen sold."),
    (paragraph("Nine <text:span>le<text:span>ft</text:span>.</text:span> Now."), "Nine left. Now."),
    (paragraph(f"Nine{NOTE} left."), "Nine left.\n\nTen sold."),
    (f"<text:numbered-paragraph>{NINE}</text:numbered-paragraph>", "Nine left."),
    (listed(NINE, TEN), "- Nine left.\n- Ten sold."),
    (table(NINE + TEN, "x"), "| Nine left. Ten sold. |  |\n| --- | --- |"),
    (table(listed(NINE, TEN)), "| Nine left. Ten sold. |\n| --- |"),
    (table(table(NINE, TEN)), "| Nine left. Ten sold. |\n| --- |"),
    (table(paragraph(f"Nine{NOTE} left.")), "| Nine left. Ten sold. |\n| --- |"),
    ('<text:h text:outline-level="2">Stock <text:span>now</text:span></text:h>' + NINE, "## Stock now\n\nNine left."),
    (paragraph('Nine<text:s/>left.<text:s text:c="3"/>Now.'), "Nine left. Now."),
    (paragraph(f"Nine{BOX} left."), "Nine left.\n\nTen sold."),
    (f"{BOX}{NINE}", "Ten sold.\n\nNine left."),
    (paragraph(f"Nine{SHAPE} left."), "Nine left.\n\nTen sold."),
    (table(paragraph(f"Nine{BOX} left.")), "| Nine left. Ten sold. |\n| --- |"),
    (grouped("table-rows", "Nine left."), "| Nine left. |\n| --- |"),
    (grouped("table-row-group", "Nine left."), "| Nine left. |\n| --- |"),
    (paragraph("<text:ruby><text:ruby-base>Nine</text:ruby-base><text:ruby-text>9</text:ruby-text></text:ruby> left."),
     "Nine left."),
    (f"<text:bibliography><text:bibliography-source>{paragraph('[title]')}</text:bibliography-source><text:index-body>"
     f"<text:index-title>{NINE}</text:index-title>{TEN}</text:index-body></text:bibliography>",
     "Nine left.\n\nTen sold."),
    (f"<text:list><text:list-header>{NINE}</text:list-header><text:list-item>{TEN}</text:list-item></text:list>",
     "- Nine left.\n- Ten sold."),
    (f"<text:table-of-content><text:index-body>{TEN}</text:index-body></text:table-of-content>{NINE}", "Nine left."),
])  # fmt: skip
def test_all_of_it_is_read(body: str, text: str) -> None:
    """Spans in spans, notes, what a cell holds, what is drawn, groups of rows."""
    assert text_of(body) == text


def test_one_that_is_too_deep_is_refused() -> None:
    """As any that is damaged."""
    with pytest.raises(ParseFailed, match="is damaged or is not an OpenDocument text"):
        text_of(paragraph("<text:span>" * 5000 + "x" + "</text:span>" * 5000))
