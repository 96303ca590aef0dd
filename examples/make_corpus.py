"""Write the PDF, DOCX, PPTX and XLSX files of the example corpus from the Markdown in `sources/`.

The same sources give the same bytes, so that a change of a source shows up as a change of one file.
Needs python-docx, python-pptx, reportlab and XlsxWriter; knowlog itself needs none of them.

    pip install python-docx python-pptx reportlab XlsxWriter
    python examples/make_corpus.py
"""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import docx
import pptx
import xlsxwriter
from docx.shared import Mm
from pptx.util import Inches, Pt
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import (
    Flowable,
    KeepTogether,
    ListFlowable,
    PageBreak,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
)

HERE = Path(__file__).parent
COMPANY = "Fennimark Instruments"
WRITTEN = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)

Kind = Literal["heading", "paragraph", "bullets", "numbers", "table", "note", "break"]


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the small Markdown used in `sources/`: a line per paragraph, no inline markup.

    `level` is that of a heading and 0 otherwise; `lines` are texts without their marks; `rows` the cells
    of a table, its header first.
    """

    kind: Kind
    lines: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    level: int = 0


def blocks(markdown: str) -> Iterator[Block]:
    """Split Markdown at its blank lines and say what each part is."""
    for part in re.split(r"\n{2,}", markdown.strip()):
        lines = part.splitlines()
        first = lines[0]
        if first.startswith("#"):
            mark, title = first.split(" ", 1)
            yield Block("heading", (title,), level=len(mark))
        elif first == "---":
            yield Block("break")
        elif first.startswith("|"):
            yield Block("table", rows=tuple(_cells(line) for i, line in enumerate(lines) if i != 1))
        elif first.startswith("- "):
            yield Block("bullets", tuple(line[2:] for line in lines))
        elif re.match(r"\d+\. ", first):
            yield Block("numbers", tuple(line.split(". ", 1)[1] for line in lines))
        elif first.startswith("> "):
            yield Block("note", (first[2:],))
        else:
            yield Block("paragraph", tuple(lines))


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip().strip("|").split("|"))


def read(name: str) -> list[Block]:
    """The blocks of `sources/NAME.md`."""
    return list(blocks((HERE / "sources" / f"{name}.md").read_text("utf-8")))


# PDF -------------------------------------------------------------------------------------------------


def write_pdf(source: list[Block], target: Path) -> None:
    """Set the blocks on A4 pages, numbered from 1; no paragraph and no table is cut by a page."""
    title = source[0].lines[0]
    margins = {"leftMargin": 25 * mm, "rightMargin": 25 * mm, "topMargin": 24 * mm, "bottomMargin": 26 * mm}
    template = _Manual(str(target), pagesize=A4, title=title, author=COMPANY, invariant=1, **margins)
    template.build(list(_kept_together(source)))


class _Manual(SimpleDocTemplate):
    def afterFlowable(self, flowable: Flowable) -> None:  # noqa: N802 (reportlab's name)
        """Add each heading to the outline that viewers show beside the pages."""
        style = getattr(flowable, "style", None)
        if isinstance(style, ParagraphStyle) and style.name in HEADING_STYLES:
            title = flowable.getPlainText()
            self.canv.bookmarkPage(title)
            self.canv.addOutlineEntry(title, title, HEADING_STYLES.index(style.name))

    def afterPage(self) -> None:  # noqa: N802
        """Put the footer after the text, so that whoever extracts the text reads it last."""
        self.canv.setFont("Helvetica", 8)
        self.canv.drawString(25 * mm, 14 * mm, self.title)
        self.canv.drawRightString(185 * mm, 14 * mm, f"Page {self.page}")


def _kept_together(source: list[Block]) -> Iterator[Flowable]:
    """Each block in one piece, with the headings above it."""
    held: list[Flowable] = []
    for block in source:
        held += _set(block)
        if block.kind == "break":
            yield PageBreak()
        elif block.kind != "heading":
            yield KeepTogether(held)
            held = []


HEADING_STYLES = ("h1", "h2", "h3")


def _pdf_styles() -> dict[str, ParagraphStyle]:
    sheet = getSampleStyleSheet()
    text = ParagraphStyle("text", sheet["BodyText"], fontSize=11, leading=16, spaceAfter=7)
    cell = ParagraphStyle("cell", text, fontSize=9.5, leading=12, spaceBefore=0, spaceAfter=0)
    styles = {"text": text, "cell": cell, "head": ParagraphStyle("head", cell, fontName="Helvetica-Bold")}
    for name, size, before in zip(HEADING_STYLES, (22, 15, 12), (60, 18, 12), strict=True):
        look = {"fontSize": size, "leading": size * 1.25, "spaceBefore": before, "spaceAfter": 6}
        styles[name] = ParagraphStyle(name, sheet["Heading1"], **look)
    return styles


PDF_STYLES = _pdf_styles()


def _set(block: Block) -> list[Flowable]:
    text = PDF_STYLES["text"]
    match block.kind:
        case "heading":
            return [Paragraph(block.lines[0], PDF_STYLES[HEADING_STYLES[block.level - 1]])]
        case "break":
            return []
        case "table":
            return [_pdf_table(block.rows), Spacer(1, 4 * mm)]
        case "bullets" | "numbers":
            start = {"bulletType": "bullet"} if block.kind == "bullets" else {"bulletFormat": "%s."}
            items = [Paragraph(line, text) for line in block.lines]
            return [ListFlowable(items, leftIndent=20, bulletFontSize=11, **start)]
        case _:
            return [Paragraph(line, text) for line in block.lines]


def _pdf_table(rows: tuple[tuple[str, ...], ...]) -> Table:
    longest = [min(44, max(13, *(len(row[i]) for row in rows))) for i in range(len(rows[0]))]
    widths = [160 * mm * length / sum(longest) for length in longest]
    cells = [
        [Paragraph(cell, PDF_STYLES["cell" if n else "head"]) for cell in row] for n, row in enumerate(rows)
    ]
    rules = [("GRID", (0, 0), (-1, -1), 0.4, colors.grey), ("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke)]
    return Table(cells, colWidths=widths, style=[*rules, ("VALIGN", (0, 0), (-1, -1), "TOP")])


# DOCX ------------------------------------------------------------------------------------------------


def write_docx(source: list[Block], target: Path) -> None:
    """Write a Word document with the built-in heading, list and table styles."""
    document = docx.Document()
    _sign(document.core_properties, source[0].lines[0])
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    for block in source:
        match block.kind:
            case "heading":
                document.add_heading(block.lines[0], block.level)
            case "table":
                _docx_table(document, block.rows)
            case "bullets":
                for line in block.lines:
                    document.add_paragraph(line, "List Bullet")
            case "numbers":
                _docx_numbers(document, block.lines)
            case _:
                for line in block.lines:
                    document.add_paragraph(line)
    document.save(str(target))
    _fix_zip_times(target)


def _docx_table(document: Any, rows: tuple[tuple[str, ...], ...]) -> None:
    table = document.add_table(len(rows), len(rows[0]), "Light Grid Accent 1")
    for row, cells in zip(rows, table.rows, strict=True):
        for text, cell in zip(row, cells.cells, strict=True):
            cell.text = text
    document.add_paragraph()


def _docx_numbers(document: Any, lines: tuple[str, ...]) -> None:
    """A numbered list that begins at 1; Word's own style would go on counting from the list before."""
    style = document.styles["List Number"]
    numbering = document.part.numbering_part.element
    inherited = numbering.num_having_numId(style.element.pPr.numPr.numId.val)
    own = numbering.add_num(inherited.abstractNumId.val)
    own.add_lvlOverride(ilvl=0).add_startOverride(1)
    for line in lines:
        properties = document.add_paragraph(line, style)._p.get_or_add_pPr().get_or_add_numPr()
        properties.get_or_add_ilvl().val = 0
        properties.get_or_add_numId().val = own.numId


# PPTX ------------------------------------------------------------------------------------------------


def write_pptx(source: list[Block], target: Path) -> None:
    """Write one slide per heading; a `>` paragraph becomes the speaker's notes of its slide."""
    show = pptx.Presentation()
    _sign(show.core_properties, source[0].lines[0])
    slide: Any = None
    for number, block in enumerate(source):
        if block.kind == "heading":
            layout = 0 if block.level == 1 else 5 if source[number + 1].kind == "table" else 1
            slide = show.slides.add_slide(show.slide_layouts[layout])
            slide.shapes.title.text = block.lines[0]
        elif block.kind == "table":
            _pptx_table(slide, block.rows)
        elif block.kind == "note":
            slide.notes_slide.notes_text_frame.text = block.lines[0]
        else:
            slide.placeholders[1].text = "\n".join(block.lines)
    show.save(str(target))
    _fix_zip_times(target)


def _pptx_table(slide: Any, rows: tuple[tuple[str, ...], ...]) -> None:
    size = Inches(0.6), Inches(1.7), Inches(8.8), Inches(0.45 * len(rows))
    table = slide.shapes.add_table(len(rows), len(rows[0]), *size).table
    for i, row in enumerate(rows):
        for j, text in enumerate(row):
            table.cell(i, j).text = text
            table.cell(i, j).text_frame.paragraphs[0].font.size = Pt(16)


# XLSX ------------------------------------------------------------------------------------------------


def write_xlsx(source: list[Block], target: Path) -> None:
    """Write one sheet per heading, with numbers as numbers and ISO dates as dates."""
    with xlsxwriter.Workbook(str(target)) as book:
        book.set_properties(
            {"title": target.stem, "author": COMPANY, "created": WRITTEN.replace(tzinfo=None)}
        )
        head = book.add_format({"bold": True, "bottom": 1})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for heading, table in zip(source[::2], source[1::2], strict=True):
            sheet = book.add_worksheet(heading.lines[0])
            sheet.freeze_panes(1, 0)
            sheet.write_row(0, 0, table.rows[0], head)
            for i, row in enumerate(table.rows[1:], 1):
                for j, text in enumerate(row):
                    sheet.write(i, j, _value(text), day if _is_day(text) else None)
            sheet.autofit()


def _is_day(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None


def _value(text: str) -> str | float | date:
    if _is_day(text):
        return date.fromisoformat(text)
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else text


# All of them -----------------------------------------------------------------------------------------


def _sign(properties: Any, title: str) -> None:
    properties.title, properties.author, properties.comments = title, COMPANY, ""
    properties.created = properties.modified = WRITTEN


def _fix_zip_times(path: Path) -> None:
    """Pack an Office file again with one fixed time for each member, where the libraries put the clock's."""
    with zipfile.ZipFile(path) as old:
        members = [(name, old.read(name)) for name in old.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in members:
            new.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)


FILES = {
    "product-manual": ("product/plover-gannet-manual.pdf", write_pdf),
    "inc-2024-017-false-alarms": ("incidents/inc-2024-017-false-alarms.docx", write_docx),
    "inc-2025-011-battery-lot": ("incidents/inc-2025-011-battery-lot.docx", write_docx),
    "quarterly-review": ("incidents/2025-q3-reliability-review.pptx", write_pptx),
    "probe-replacement": ("service/fs-12-probe-replacement.docx", write_docx),
    "calibration-register": ("service/calibration-register.xlsx", write_xlsx),
}


def main() -> None:
    """Write every file of `FILES` below `corpus/`."""
    for name, (target, write) in FILES.items():
        write(read(name), HERE / "corpus" / target)


if __name__ == "__main__":
    main()
