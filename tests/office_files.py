"""Office documents, written part by part."""

import io
import zipfile

A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def zipped(members: dict[str, str | bytes]) -> bytes:
    """Return a ZIP container of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def docx(*paragraphs: str) -> bytes:
    """Return the smallest Word document of these paragraphs."""
    body = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>",
        }
    )


def slide(title: str, *lines: str) -> str:
    """Return the XML of a slide with a title and a body."""

    def shape(role: str, texts: tuple[str, ...]) -> str:
        paragraphs = "".join(f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>" for text in texts)
        place = f'<p:nvSpPr><p:nvPr><p:ph type="{role}"/></p:nvPr></p:nvSpPr>'
        return f"<p:sp>{place}<p:txBody>{paragraphs}</p:txBody></p:sp>"

    shapes = shape("title", (title,)) + shape("body", lines)
    return f"<p:sld {A} {P}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"


def pptx(*slides: str, more: dict[str, str] | None = None) -> bytes:
    """Return the smallest PowerPoint presentation of these slides, with more parts if wanted."""
    numbers = range(len(slides))
    ids = "".join(f'<p:sldId r:id="r{n}"/>' for n in numbers)
    kind = f"{RELATIONS}/slide"
    relations = "".join(f'<Relationship Id="r{n}" Type="{kind}" Target="slides/{n}.xml"/>' for n in numbers)
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "ppt/presentation.xml": f"<p:presentation {P} {R}>{ids}</p:presentation>",
            "ppt/_rels/presentation.xml.rels": f"<Relationships>{relations}</Relationships>",
            **{f"ppt/slides/{n}.xml": content for n, content in enumerate(slides)},
            **(more or {}),
        }
    )


def xlsx(*rows: str) -> bytes:
    """Return the smallest Excel workbook of these rows of cells; style 1 is a date, 2 a time of day."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    formats = "".join(f'<xf numFmtId="{number}"/>' for number in (0, 14, 20))
    sheet = "".join(f'<row r="{n}">{row}</row>' for n, row in enumerate(rows, start=1))
    relations = "".join(
        f'<Relationship Id="r{n}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate([("worksheet", "worksheets/1.xml"), ("styles", "styles.xml")])
    )
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": f'<Relationships><Relationship Id="r0" Type="{RELATIONS}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook {main} {R}><sheets><sheet name="Shifts" sheetId="1" r:id="r0"/>'
            "</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": f"<Relationships>{relations}</Relationships>",
            "xl/styles.xml": f"<styleSheet {main}><cellXfs>{formats}</cellXfs></styleSheet>",
            "xl/worksheets/1.xml": f"<worksheet {main}><sheetData>{sheet}</sheetData></worksheet>",
        }
    )
