"""The promises of chunking on files in the formats that the examples come in, not on strings made for it."""

from pathlib import Path

import pytest
from test_chunk_properties import MODELS, leaves

from knowlog.chunking import STRATEGIES, ChunkingProfile, chunk
from knowlog.documents.model import Heading, Page, Structure
from knowlog.embedding import token_offsets
from knowlog.formats import Limits, Source, detect, read

EXAMPLES = sorted(
    path for path in (Path(__file__).parents[3] / "examples" / "corpus").rglob("*") if path.is_file()
)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_every_strategy_keeps_its_promises(file: Path) -> None:
    """Exact spans within the limit, alone too, and each visible character in one."""
    source = Source(file.read_bytes(), file.name)
    found = read(source, detect(source), Limits())
    structure = Structure(
        tuple(Page(*page) for page in found.pages), tuple(Heading(*mark) for mark in found.headings)
    )
    for name in STRATEGIES:
        profile = ChunkingProfile(strategy=name, size_tokens=64, child_tokens=24)
        spans = chunk(found.text, profile, token_offsets, structure, MODELS, found.media_type)
        held = {offset for span in leaves(spans) for offset in range(span.start, span.end)}
        assert {offset for offset, character in enumerate(found.text) if not character.isspace()} <= held
        assert max(len(token_offsets(found.text[span.start : span.end])) for span in spans) <= 64
