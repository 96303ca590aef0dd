"""Documents of many programs: all read, and about the same text found as another parser finds."""

import re
from collections import Counter
from pathlib import Path

import pytest

from knowlog.ingestion.parsing import Parser


def words(text: str) -> Counter[str]:
    """Count the words of a text, ignoring case and Markdown."""
    return Counter(re.findall(r"\w+", re.sub(r"<!--.*?-->|&#124;", " ", text).lower()))


@pytest.mark.data
async def test_samples_are_read_about_as_another_parser_reads_them(parser: Parser, documents_data: Path):
    """Every file has a text; recall and precision of words against the expected texts are at least 0.9."""
    recalls, precisions = [], []
    for path in sorted((documents_data / "samples").iterdir()):
        parsed = await parser.parse(path.read_bytes(), path.name, None)
        structure = parsed.structure
        assert parsed.text.strip(), path.name
        assert all(0 <= page.start <= page.end <= len(parsed.text) for page in structure.pages)
        assert all(parsed.text[mark.start :].strip() for mark in structure.headings)
        expected = documents_data / "expected" / f"{path.name}.md"
        if expected.exists():
            theirs, ours = words(expected.read_text()), words(parsed.text)
            shared = (theirs & ours).total()
            recalls.append(shared / max(1, theirs.total()))
            precisions.append(shared / max(1, ours.total()))
    assert len(recalls) >= 41
    assert sum(recalls) / len(recalls) >= 0.9
    assert sum(precisions) / len(precisions) >= 0.9
