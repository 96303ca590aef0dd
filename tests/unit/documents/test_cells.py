"""Cells of a sheet: from the reader, which notes where a table begins, to the range that is cited."""

import io
import zipfile

import pytest

from knowlog.documents.cells import cells_within
from knowlog.documents.model import Grid
from knowlog.formats import Limits, Source, detect, read

TABLE = "| a | b | c |\n| --- | --- | --- |\n| 1 | 2 | 3 |\n| 4 | 5\\|x | 6 |"


@pytest.mark.parametrize(
    ("quote", "cells"),
    [
        ("| a | b | c |", "Sheet1!A1:C1"),
        ("| 1 | 2 | 3 |", "Sheet1!A2:C2"),
        ("| 4 | 5\\|x | 6 |", "Sheet1!A3:C3"),
        ("5\\|x", "Sheet1!B3"),
        ("2 | 3 |\n| 4 | 5", "Sheet1!A2:C3"),
    ],
)
def test_a_quote_of_a_table_is_a_range(quote: str, cells: str) -> None:
    """A bar in a cell is none between cells."""
    start = TABLE.index(quote)
    assert cells_within(Grid("Sheet1", 0, 1, 1), TABLE[: start + len(quote)], start) == cells


def test_a_table_that_begins_further_in_is_counted_from_there() -> None:
    """And a sheet's name is quoted as spreadsheets do it; one without a name needs none."""
    start = TABLE.index("| 1 |")
    text = TABLE[: TABLE.index("\n| 4")]
    assert cells_within(Grid("Bob's 2024", 0, 3, 27), text, start) == "'Bob''s 2024'!AA4:AC4"
    assert cells_within(Grid("", 0, 1, 1), text, start) == "A2:C2"


def test_what_is_not_of_the_table_has_no_cells() -> None:
    """Such as what stands behind it."""
    assert cells_within(Grid("", 0, 1, 1), f"{TABLE}\n\nA note.", len(TABLE) + 2) is None


def workbook(rows: str) -> bytes:
    """An Excel workbook with one sheet."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    links = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        'spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
        "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{links}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{links}"><sheets>'
        '<sheet name="Sales" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
        f'relationships"><Relationship Id="rId1" Type="{links}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>',
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{content}')
    return packed.getvalue()


def row(number: int, *cells: tuple[str, str]) -> str:
    """A row of a sheet."""
    inside = "".join(
        f'<c r="{letter}{number}" t="inlineStr"><is><t>{value}</t></is></c>' for letter, value in cells
    )
    return f'<row r="{number}">{inside}</row>'


def test_a_workbook_tells_where_its_table_begins() -> None:
    """Rows and columns before the first cell are not in the text, and count."""
    source = Source(
        workbook(row(3, ("B", "city"), ("C", "sales")) + row(4, ("B", "Bonn"), ("C", "12"))), "s.xlsx"
    )
    found = read(source, detect(source), Limits())
    (grid,) = found.grids
    assert (grid.name, grid.row, grid.column) == ("Sales", 3, 2)
    start = found.text.index("| Bonn")
    text = found.text[grid.start : start + len("| Bonn | 12 |")]
    assert cells_within(Grid(*grid), text, start - grid.start) == "Sales!B4:C4"


@pytest.mark.parametrize(
    ("content", "grids"), [(b"a,b\n1,2\n", [("", 0, 1, 1)]), (b"a,b\n\n1,2\n", []), (b"a,b\n,\n1,2\n", [])]
)
def test_a_table_of_separated_values_counts_its_rows(content: bytes, grids: list[tuple]) -> None:
    """Where empty rows are left out, it says nothing rather than something wrong."""
    source = Source(content, "a.csv")
    assert [tuple(each) for each in read(source, detect(source), Limits()).grids] == grids
