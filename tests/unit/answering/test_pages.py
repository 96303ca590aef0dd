"""The page of a quote: it really stands there, whatever passage it was taken from."""

import re
from itertools import accumulate, repeat

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from knowlog.answering import compose
from knowlog.answering.sentences import split
from knowlog.chunking import ChunkingProfile, chunk
from knowlog.documents import Heading, Page, Structure
from knowlog.formats import Limits, Source, detect, read
from knowlog.retrieval import Passage
from paged_pdf import page_texts, paged_pdf

WORDS = ("pump", "valve", "motor", "seal", "rotor", "gasket", "flange", "bearing")
FOOTER = "Pump manual, not for resale."


@st.composite
def manuals(draw):
    """Draw the pages of a manual: sentences that each occur once, short pages and long ones, empty ones, a footer."""
    counts = draw(st.lists(st.integers(0, 14), min_size=2, max_size=6))
    numbers = accumulate(repeat(1))
    footer = [FOOTER] if draw(st.booleans()) else []
    return [
        [
            f"The {draw(st.sampled_from(WORDS))} number {next(numbers)} weighs {next(numbers)} kg."
            for _ in range(n)
        ]
        + footer
        for n in counts
    ]


def passages_of(content: bytes, size_tokens: int) -> list[Passage]:
    """Read and cut a PDF as ingestion does."""
    source = Source(content, "manual.pdf")
    found = read(source, detect(source), Limits())
    structure = Structure(
        tuple(Page(*page) for page in found.pages), tuple(Heading(*heading) for heading in found.headings)
    )
    spans = chunk(found.text, ChunkingProfile(size_tokens=size_tokens), words, structure)
    return [_passage(found.text, span.start, span.end, structure) for span in spans]


def _passage(text: str, start: int, end: int, structure: Structure) -> Passage:
    return Passage(
        document_id=None, version=1, collection="c", external_id="manual.pdf", title="Manual", start=start, end=end,
        text=text[start:end], page=structure.page_at(start), headings=(), metadata={}, score=1.0,
        page_starts=structure.pages_within(start, end),
    )  # fmt: skip


def words(text: str) -> np.ndarray:
    """Take words and marks as tokens."""
    return np.array([match.start() for match in re.finditer(r"\w+|[^\w\s]", text)], dtype=np.int32)


@given(manuals().filter(lambda pages: any(pages)), st.integers(16, 90))
@settings(max_examples=80, deadline=None)
def test_every_sentence_of_a_passage_is_on_the_page_it_is_said_to_be_on(pages, size_tokens):
    """pdfium finds the sentence on that page, or its parts on the pages that it crosses."""
    content = paged_pdf(pages)
    read_there = page_texts(content)
    for passage in passages_of(content, size_tokens):
        assert passage.page == passage.pages[0]
        for sentence in split(passage.text):
            start, end = passage.start + sentence.start, passage.start + sentence.end
            quote = " ".join(passage.text[sentence.start : sentence.end].split())
            there = passage.pages_of(start, end)
            assert quote in " ".join(read_there[page - 1] for page in there)
            assert len(there) == 1 or not any(quote in text for text in read_there)


@given(manuals().filter(lambda pages: any(len(page) > 1 for page in pages)), st.integers(16, 90))
@settings(max_examples=30, deadline=None)
async def test_a_citation_names_the_page_of_its_quote(embedder, pages, size_tokens):
    """Also where the passage begins on the page before."""
    wanted = next(line for page in reversed(pages) for line in page if line != FOOTER)
    content = paged_pdf(pages)
    answer = await compose(wanted.rstrip(".") + "?", passages_of(content, size_tokens)[-10:], embedder)
    read_there = page_texts(content)
    assert answer.statements
    for statement in answer.statements:
        for citation in statement.citations:
            text = " ".join(read_there[page - 1] for page in citation.pages)
            assert " ".join(citation.quote.split()) in text
            assert citation.page == citation.pages[0]


def test_a_passage_stored_without_its_pages_has_the_one_it_begins_on(passage):
    """The page of the passage is all that is known then."""
    found = passage("Rotor.")
    assert found.pages == ()
    assert found.pages_of(0, 3) == ()
