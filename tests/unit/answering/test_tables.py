"""Questions to the tables of a PDF, and what is never the first statement of an answer."""

import pytest

from knowlog.answering import compose
from knowlog.answering.sentences import split
from knowlog.answering.tables import HEAD_CHARS, begins_in_table, head_of_row

HEAD = "Consolidated Statement of Cash Flows\nYears ended December 31\n(Millions) 2018 2017 2016\n"
ROWS = (
    "Cash Flows from Operating Activities\n"
    "Depreciation and amortization 1,488 1,544 1,474\n"
    "Deferred income taxes (57) 107 7\n"
    "Cash Flows from Investing Activities\n"
    "Purchases of property, plant and equipment (1,577) (1,373) (1,420)\n"
    "Proceeds from sale of businesses, net of cash sold\n846 1,065 142\n"
)
PURCHASES = "Purchases of property, plant and equipment (1,577) (1,373) (1,420)"


async def test_a_row_is_cited_with_the_names_of_its_columns(embedder, passage):
    """Over the subheadings between them."""
    found = passage(HEAD + ROWS, title="Annual report")
    answer = await compose("What were the purchases of property, plant and equipment?", [found], embedder)
    (citation, *_) = answer.statements[0].citations
    assert citation.quote == PURCHASES
    assert citation.context == (
        "Consolidated Statement of Cash Flows Years ended December 31 (Millions) 2018 2017 2016"
        " Cash Flows from Operating Activities"
    )


async def test_a_passage_that_begins_in_mid_table_is_read_with_what_stands_before_it(embedder, passage):
    """The head is found there, and a row whose words stand there is quoted from its begin."""
    text = HEAD + ROWS
    begin = text.index("846 1,065")
    found = passage(text[begin:], start=begin, title="Annual report", lead=text[:begin])
    answer = await compose("What were the proceeds from the sale of businesses?", [found], embedder)
    (citation, *_) = answer.statements[0].citations
    assert citation.quote == "Proceeds from sale of businesses, net of cash sold\n846 1,065 142"
    assert text[citation.start : citation.end] == citation.quote
    assert "2018 2017 2016" in (citation.context or "")


@pytest.mark.parametrize(
    "line",
    [
        "What is the warranty of the pump?",
        "Warranty of the Pump",
        "the warranty of the pump",
        "PUMPS AND WARRANTY",
    ],
)
async def test_a_heading_or_a_question_is_not_the_first_statement(embedder, passage, line):
    """However many of the question's words it repeats; alone it is better than nothing."""
    said = "We repair it free of charge for two years, as the warranty says."
    answer = await compose("What is the warranty of the pump?", [passage(f"{line}\n{said}")], embedder)
    assert answer.statements[0].text == said
    assert line not in answer.text
    alone = await compose("What is the warranty of the pump?", [passage(line)], embedder, least_confidence=0)
    assert alone.text == line


@pytest.mark.parametrize(
    "line", ["The warranty of the pump.", "Warranty of the pump: two years", "the warranty ends in May"]
)
async def test_what_says_something_may_come_first(embedder, passage, line):
    """A sentence, a label with its value, and a line that adds to the question."""
    answer = await compose(
        "What is the warranty of the pump?", [passage(f"{line}\n\nOther things stand here.")], embedder
    )
    assert answer.statements[0].text == line


def test_a_head_is_not_endless():
    """A page of lines without an end mark is no head of a table."""
    text = "A line of a table of contents\n\n" * 100 + "Total 12 13"
    sentences = split(text)
    assert 0 < len(head_of_row(text, sentences, len(sentences) - 1)) <= HEAD_CHARS


def test_only_passages_that_begin_in_a_table_are_looked_up():
    """Prose, and a table behind a page of prose, have what they need."""
    assert begins_in_table("Deferred income taxes (57) 107 7\nInventories (509) (387) 57")
    assert not begins_in_table("The company was founded in 1902.\nIt has 93,000 people in 2018.")
