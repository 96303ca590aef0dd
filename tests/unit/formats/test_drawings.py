"""Words that are drawn: charts, diagrams and boxes of Office documents; pictures that are written as letters."""

import base64

import pytest

from knowlog.formats import Extracted, Limits, Source, detect, read
from office_files import RELATIONS, A, P, R, W, pptx, zipped

C = 'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"'
D = 'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
MC = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'


def _points(place: str, values: list[str], code: str = "General") -> str:
    points = "".join(f'<c:pt idx="{n}"><c:v>{value}</c:v></c:pt>' for n, value in enumerate(values))
    cache = f"<c:numCache><c:formatCode>{code}</c:formatCode>{points}</c:numCache>"
    return f"<c:{place}><c:numRef>{cache}</c:numRef></c:{place}>"


def chart(categories: list[str], code: str = "General", **series: list[str]) -> str:
    """Return the XML of a chart with a title."""
    drawn = "".join(
        f"<c:ser>{_points('tx', [name])}{_points('cat', categories, code)}{_points('val', values)}</c:ser>"
        for name, values in series.items()
    )
    title = (
        "<c:title><c:tx><c:rich><a:p><a:r><a:t>Sales &amp; costs</a:t></a:r></a:p></c:rich></c:tx></c:title>"
    )
    return f"<c:chartSpace {C} {A}><c:chart>{title}<c:barChart>{drawn}</c:barChart></c:chart></c:chartSpace>"


SALES = chart(["North", "South"], Shoes=["4.3", "0.30000000000000004"], Hats=["2", "7"])
DAYS = chart(["45292", "45293"], "m/d/yyyy", Shoes=["1", "2"])
HIERARCHY = (
    f"<dgm:dataModel {D} {A}><dgm:ptLst><dgm:pt><dgm:t><a:p><a:r><a:t>Director</a:t></a:r></a:p></dgm:t></dgm:pt>"
    "<dgm:pt/><dgm:pt><dgm:t><a:p><a:r><a:t>Head of </a:t></a:r><a:r><a:t>R&amp;D</a:t></a:r></a:p></dgm:t></dgm:pt>"
    "</dgm:ptLst></dgm:dataModel>"
)
BROKEN = "<c:chartSpace"
CHART = '<c:chart r:id="rId7"/>'
DIAGRAM = '<dgm:relIds r:dm="rId7" r:lo="rId8"/>'


def _relations(kind: str, target: str) -> str:
    return f'<Relationships><Relationship Id="rId7" Type="{RELATIONS}/{kind}" Target="{target}"/></Relationships>'


def word(drawing: str, part: str = "", kind: str = "chart") -> bytes:
    """Return a Word document with a drawing between two words."""
    runs = ("<w:t>Before.</w:t>", drawing, "<w:t>After.</w:t>")
    body = "".join(f"<w:p><w:r>{run}</w:r></w:p>" for run in runs)
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "word/document.xml": f"<w:document {W} {C} {D} {R} {MC}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": _relations(kind, "drawn/one.xml"),
            "word/drawn/one.xml": part,
        }
    )


def slides(drawing: str, part: str, kind: str) -> bytes:
    """Return a presentation whose one slide shows a drawing."""
    frame = (
        f"<p:graphicFrame><a:graphic><a:graphicData>{drawing}</a:graphicData></a:graphic></p:graphicFrame>"
    )
    shown = f"<p:sld {A} {P} {C} {D} {R}><p:cSld><p:spTree>{frame}</p:spTree></p:cSld></p:sld>"
    return pptx(
        shown,
        more={"ppt/slides/_rels/0.xml.rels": _relations(kind, "../drawn/one.xml"), "ppt/drawn/one.xml": part},
    )


SHAPE = "<xdr:sp><xdr:txBody><a:p><a:r><a:t>Figures of {} &amp; May.</a:t></a:r></a:p></xdr:txBody></xdr:sp>"
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
XDR = 'xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"'


PACKAGE = 'xmlns="http://schemas.openxmlformats.org/package/2006/{}"'


def workbook(*shapes: str, chart: str | None = None) -> bytes:
    """Return a workbook of two sheets: one of a cell, one on which all else is drawn."""
    cell = '<row r="1"><c r="A1" t="inlineStr"><is><t>Nine</t></is></c></row>'
    sheets = "".join(f'<sheet name="S{n}" sheetId="{n}" r:id="rId{n}"/>' for n in (1, 2))
    link = f'<Relationship Id="rId{{}}" Type="{RELATIONS}/{{}}" Target="{{}}"/>'
    files = "".join(link.format(n, "worksheet", f"worksheets/sheet{n}.xml") for n in (1, 2))
    relations = f"<Relationships {PACKAGE.format('relationships')}>{{}}</Relationships>"
    return zipped(
        {
            "[Content_Types].xml": f"<Types {PACKAGE.format('content-types')}/>",
            "_rels/.rels": relations.format(link.format(1, "officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f"<workbook {MAIN} {R}><sheets>{sheets}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations.format(files),
            "xl/worksheets/sheet1.xml": f"<worksheet {MAIN}><sheetData>{cell}</sheetData></worksheet>",
            "xl/worksheets/sheet2.xml": f"<worksheet {MAIN}><sheetData/></worksheet>",
            "xl/worksheets/_rels/sheet2.xml.rels": _relations("drawing", "../drawings/one.xml"),
            "xl/drawings/one.xml": f"<xdr:wsDr {XDR} {A}>{''.join(shapes)}</xdr:wsDr>",
            "xl/drawings/_rels/one.xml.rels": _relations("chart", "../charts/one.xml"),
            **({"xl/charts/one.xml": chart} if chart else {}),
        }
    )


def read_file(content: bytes, name: str) -> Extracted:
    """Read a file as ingestion does."""
    source = Source(content, name, None)
    return read(source, detect(source), Limits())


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def test_a_chart_on_a_slide_is_the_table_that_it_draws():
    """Its title, its series and categories; numbers as people write them, days as days."""
    text = read_file(slides(CHART, SALES, "chart"), "x.pptx").text
    assert _lines(text) == [
        "| Sales & costs | Shoes | Hats |", "| --- | --- | --- |", "| North | 4.3 | 2 |", "| South | 0.3 | 7 |",
    ]  # fmt: skip
    assert "| 2024-01-01 | 1 |" in read_file(slides(CHART, DAYS, "chart"), "x.pptx").text


def test_a_chart_of_very_many_points_is_its_names():
    """What was measured a thousand times is no text."""
    long = chart([str(n) for n in range(1000)], Noise=["0.5"] * 1000)
    assert read_file(slides(CHART, long, "chart"), "x.pptx").text.startswith("| Sales & costs | Noise |")
    assert "999" not in read_file(slides(CHART, long, "chart"), "x.pptx").text


def test_a_diagram_on_a_slide_is_a_list():
    """Of its points that hold text."""
    assert _lines(read_file(slides(DIAGRAM, HIERARCHY, "diagramData"), "x.pptx").text) == [
        "- Director",
        "- Head of R&D",
    ]


def test_charts_and_diagrams_in_a_word_document_stand_where_they_are_drawn():
    """In their paragraph, with the signs that are meant."""
    drawing = "<w:drawing><a:graphic>{}</a:graphic></w:drawing>"
    text = read_file(word(drawing.format(CHART), SALES), "x.docx").text
    assert _lines(text) == ["Before.", "Sales & costs Shoes Hats; North 4.3 2; South 0.3 7", "After."]
    text = read_file(word(drawing.format(DIAGRAM), HIERARCHY, "diagramData"), "x.docx").text
    assert _lines(text) == ["Before.", "Director; Head of R&D", "After."]


def test_what_is_drawn_on_a_sheet_stands_under_its_name():
    """Boxes, and titles of charts, whose figures stand in cells."""
    given = workbook(SHAPE.format("April"), SHAPE.format("June"), chart=SALES)
    told = ["## S2", "Figures of April & May.", "Figures of June & May.", "Sales & costs"]
    assert _lines(read_file(given, "x.xlsx").text) == ["## S1", "| Nine |", *told]
    for broken in (workbook("<xdr:sp", chart=SALES), workbook(chart=BROKEN), workbook()):
        assert _lines(read_file(broken, "x.xlsx").text) == ["## S1", "| Nine |"]


def test_a_broken_chart_costs_nothing_else():
    """Nor does one that is not there."""
    drawing = f"<w:drawing><a:graphic>{CHART}</a:graphic></w:drawing>"
    for part, kind in ((BROKEN, "chart"), (SALES, "image")):
        assert _lines(read_file(word(drawing, part, kind), "x.docx").text) == ["Before.", "After."]


BOX = "<w:txbxContent><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:txbxContent>"


def _twice(first: str, second: str) -> str:
    return f"<mc:AlternateContent><mc:Choice>{first}</mc:Choice><mc:Fallback>{second}</mc:Fallback></mc:AlternateContent>"


@pytest.mark.parametrize(("drawing", "words"), [
    ("<w:drawing>{0}{1}</w:drawing>", "One. Two."),
    (_twice("<w:drawing>{0}{1}</w:drawing>", "<w:pict>{0}{1}</w:pict>"), "One. Two."),
    (_twice("<w:drawing>{0}" + _twice("<w:drawing>{1}</w:drawing>", "<w:pict>{1}</w:pict>") + "</w:drawing>",
            "<w:pict>{0}<w:pict>{1}</w:pict></w:pict>"), "One. Two."),
    (_twice("<w:drawing/>", "<w:pict>{0}</w:pict>"), "One."),
    ("<w:pict>{0}</w:pict><w:drawing/><w:pict>{1}</w:pict>", "One. Two."),
])  # fmt: skip
def test_boxes_within_boxes_are_read_once(drawing: str, words: str):
    """As on the cover pages that Word offers, in groups, and twice for readers of an earlier form."""
    given = drawing.format(BOX.format("One."), BOX.format("Two."))
    assert _lines(read_file(word(given), "x.docx").text) == ["Before.", words, "After."]


PICTURE = "data:image/png;base64," + base64.b64encode(bytes(range(256)) * 20).decode()


@pytest.mark.parametrize(("page", "text"), [
    (f'<p>A <img alt="map" src="{PICTURE}"> B</p>', "A map B"), (f"<p>A <img src='{PICTURE}'> B</p>", "A  B"),
    (f"<p>A <img src={PICTURE}> B</p>", "A  B"), (f'<p><a href="{PICTURE}">A</a></p>', "A"),
    ('<p title="data: x">A "data: y, z" B</p>', 'A "data: y, z" B'),
])  # fmt: skip
def test_a_picture_that_is_written_into_a_page_is_no_text(page: str, text: str):
    """Its letters would be most of what is searched."""
    assert read_file(page.encode(), "x.html").text == text


def test_a_picture_that_is_written_into_markdown_is_no_text():
    """In its place, or at the end as word processors write it."""
    content = f"# Map\n\n![here]({PICTURE}) B\n\n[image1]: <{PICTURE}>\n\nThe word data:text stays."
    assert (
        read_file(content.encode(), "x.md").text
        == "# Map\n\n![here](data:) B\n\n[image1]: <data:>\n\nThe word data:text stays."
    )


def test_a_page_that_names_its_charset_late_is_read_in_it():
    """After a long beginning; browsers begin anew."""
    page = f"<html><head><!--{'x' * 9000}--><meta charset=windows-1251></head><body>Аренда</body></html>"
    assert read_file(page.encode("windows-1251"), "x.html").text == "Аренда"
