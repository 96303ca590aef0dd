"""PDFs of several lines a page, written byte by byte, and what pdfium reads on each page of one."""

from collections.abc import Sequence

import pypdfium2 as pdfium


def paged_pdf(pages: Sequence[Sequence[str]], title: str = "", trailer: str = "") -> bytes:
    """Write a PDF with these lines of Helvetica on each page. `trailer` are further entries of its last dictionary."""
    kids = " ".join(f"{5 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Title ({title}) >>",
    ]
    for number, lines in enumerate(pages):
        shown = " ".join(f"({line}) Tj T*" for line in lines)
        stream = f"BT /F1 9 Tf 11 TL 40 760 Td {shown} ET"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {6 + 2 * number} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        ]
    out, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    return (
        f"{out}xref\n0 {size}\n0000000000 65535 f \n{table}"
        f"trailer << /Root 1 0 R /Info 4 0 R /Size {size} {trailer}>>\nstartxref\n{len(out)}\n%%EOF\n"
    ).encode()


def page_texts(content: bytes) -> list[str]:
    """Return what pdfium finds on each page, without differences of white space."""
    document = pdfium.PdfDocument(content)
    try:
        return [" ".join(page.get_textpage().get_text_range().split()) for page in document]
    finally:
        document.close()
