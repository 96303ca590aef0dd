"""Sentences: exact spans, whatever the text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowlog.answering.sentences import LONGEST, Kind, readable, split, token_count

PIECES = [
    "Dr. Smith paid $3.5 m. ",
    "| a | b |\n",
    "|---|---|\n",
    "- item\n",
    "# Title\n",
    "\n\n",
    "你好。世界！",
    "a" * 90,
    "مرحبا؟ ",
    "😀",
    "x, y; z ",
    "\t",
    "```\n",
    "e.g. ",
    "word " * 40,
    "\u2028",
    "\r",
    "\x0b",
    "é",
]


def quotes(text, kind=None):
    """Return the sentences of a text, of one kind or of all."""
    return [text[s.start : s.end] for s in split(text) if kind is None or s.kind is kind]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=20), max_size=30).map("".join))
def test_spans_are_in_order_stripped_and_no_letter_is_lost(text):
    """Whatever the text, sentences are ordered, apart, without outer white space, and keep every word."""
    position, kept = 0, ""
    for sentence in split(text):
        assert position <= sentence.start < sentence.end <= len(text)
        quote = text[sentence.start : sentence.end]
        assert quote == quote.strip()
        position, kept = sentence.end, kept + quote
    fenced = "\n".join(line for line in text.split("\n") if not line.lstrip().startswith(("```", "~~~")))
    assert [c for c in kept if c.isalnum()] == [c for c in fenced if c.isalnum()]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_nothing_but_a_heading_is_longer_than_the_limit(text):
    """Every sentence that may be quoted has at most LONGEST tokens."""
    assert all(
        token_count(quote) <= LONGEST for k in Kind if k is not Kind.HEADING for quote in quotes(text, k)
    )


def test_abbreviations_do_not_end_a_sentence():
    """Titles, initials and countries keep their full stop inside the sentence."""
    text = "Dr. Lee went to the U.S. in Jan. 2001. He paid $3.5 million."
    assert quotes(text) == ["Dr. Lee went to the U.S. in Jan. 2001.", "He paid $3.5 million."]


def test_chinese_and_arabic_are_split_at_their_own_marks():
    """Sentences end where their script ends them."""
    assert quotes("东京是日本的首都。人口很多。") == ["东京是日本的首都。", "人口很多。"]
    assert quotes("مرحبا بالعالم. كيف حالك؟ شكرا.") == ["مرحبا بالعالم.", "كيف حالك؟", "شكرا."]


def test_german_dates_and_abbreviations_do_not_end_a_sentence():
    """In a text whose small words are German; an English one with a German name in it is split as ever."""
    text = "Der Vertrag läuft bis zum 30. Juni 2028. Siehe Abs. 3 bzw. Nr. 7. Die Miete ist 2.450 Euro."
    assert quotes(text) == [
        "Der Vertrag läuft bis zum 30. Juni 2028.",
        "Siehe Abs. 3 bzw. Nr. 7.",
        "Die Miete ist 2.450 Euro.",
    ]
    assert quotes("The van der Waals force is weak. It was the third.") == [
        "The van der Waals force is weak.",
        "It was the third.",
    ]


def test_a_long_paragraph_is_split_as_a_short_one():
    """However it is handed to the splitter, no sentence is cut or lost by that."""
    sentences = [f"Pump {n} was bought in 19{n % 100:02} by Dr. Lee." for n in range(2_000)]
    assert quotes(" ".join(sentences)) == sentences


def test_a_table_gives_its_rows_and_keeps_its_head_apart():
    """Each row is one statement, the head is a heading, the rule is nothing."""
    text = "| Plan | Price |\n|------|------:|\n| Basic | 10 € |\n| Pro | 20 € |"
    assert quotes(text, Kind.HEADING) == ["| Plan | Price |"]
    assert quotes(text, Kind.ROW) == ["| Basic | 10 € |", "| Pro | 20 € |"]


def test_lines_of_comma_separated_values_are_rows():
    """Each line of a CSV file is one statement; thousands and ordinary commas do not make a row."""
    assert quotes("KL-1,Pump,12.50,3\nKL-2,Valve,7.00,1", Kind.ROW) == [
        "KL-1,Pump,12.50,3",
        "KL-2,Valve,7.00,1",
    ]
    assert not quotes("We sold 1,000,000, bought 2,500,000 and kept 10,000.", Kind.ROW)


def test_list_items_are_statements_with_their_further_lines():
    """A list item holds its indented continuation and ends at the next item."""
    assert quotes("- first\n  goes on\n- second. With more.\n3. third", Kind.ITEM) == [
        "- first\n  goes on",
        "- second. With more.",
        "3. third",
    ]


@pytest.mark.parametrize("text", ["# Leave\n", "Leave\n=====\n", "Leave\n-----\n"])
def test_headings_are_told_from_prose(text):
    """A line marked or underlined as a heading is a heading."""
    assert [s.kind for s in split(text)] == [Kind.HEADING]


def test_a_known_heading_needs_no_markup():
    """A line that equals a title of the document is a heading."""
    assert [s.kind for s in split("Paid leave\n\nYou have 28 days.", ["Paid leave"])] == [
        Kind.HEADING,
        Kind.PROSE,
    ]


def test_wrapped_lines_are_joined_and_meant_breaks_are_kept():
    """A paragraph wrapped at a margin is read on; short lines of a letter's head stand alone."""
    assert quotes("The pump must be filled before\nit is started. Then wait.") == [
        "The pump must be filled before\nit is started.",
        "Then wait.",
    ]
    assert quotes("From: Ann\nTo: Bob\nSubject: The invoice of last week") == [
        "From: Ann",
        "To: Bob",
        "Subject: The invoice of last week",
    ]


@pytest.mark.parametrize(
    "unit",
    [
        "a, ",
        "|",
        "|-",
        "\n",
        "x\n",
        "- ",
        " \t",
        "*_",
        '"a. ',
        "((",
        "你",
        "1. ",
        "😀",
        "„",
        "x“ ",
        "30. Mai und ",
    ],
)
def test_hostile_repetition_takes_linear_time(unit):
    """A hundred thousand characters of anything are split within three seconds of a processor."""
    text = (unit * 100_000)[:100_000] + "x"
    started = time.process_time()
    split(text)
    assert time.process_time() - started < 3


STATEMENT = """Consolidated Statement of Cash Flows
Years ended December 31
(Millions) 2018 2017 2016
Cash Flows from Operating Activities
Net income including noncontrolling interest $ 5,363 $ 4,869 $ 5,058
Deferred income taxes (57) 107 7
Proceeds from sale of businesses, net of cash sold
846 1,065 142
Preferred stock, $0.01 par value; 100,000,000 shares authorized; no shares
outstanding at the end of the year — —
Effective tax rate 23% 20%
The notes are an integral part of this statement."""


def test_a_line_that_ends_in_figures_is_a_row():
    """As in the text of a PDF; what a row is called may stand on the line above, and years name the columns."""
    sentences = split(STATEMENT)
    rows = [STATEMENT[each.start : each.end] for each in sentences if each.kind is Kind.ROW]
    assert rows == [
        "Net income including noncontrolling interest $ 5,363 $ 4,869 $ 5,058",
        "Deferred income taxes (57) 107 7",
        "Proceeds from sale of businesses, net of cash sold\n846 1,065 142",
        "Preferred stock, $0.01 par value; 100,000,000 shares authorized; no shares\n"
        "outstanding at the end of the year — —",
        "Effective tax rate 23% 20%",
    ]
    heads = [STATEMENT[each.start : each.end] for each in sentences if each.kind is Kind.HEADING]
    assert heads == ["(Millions) 2018 2017 2016"]


@pytest.mark.parametrize(
    "line",
    [
        "It was sold in 2017 and 2016",
        "The bridge was opened on May 12, 1932.",
        "as of December 31,",
        "Call 555",
        "between 1,200 and 1,400 people",
    ],
)
def test_a_line_of_prose_with_numbers_is_no_row(line):
    """One figure at its end, or none, makes none."""
    assert [each.kind for each in split(line)] == [Kind.PROSE]


def test_a_wrapped_line_goes_on_in_mid_sentence_beside_a_much_wider_one():
    """The text of a PDF has lines of very different widths; a line that begins small goes on with a long one."""
    wrapped = "Alder sold pumps, valves, seals and other equipment, among it certain\nparts of engines."
    short = "red paint\nblue paint"
    assert quotes(f"{'Much wider ' * 25}it is.\n{wrapped}")[-1] == wrapped
    assert quotes(f"{'Much wider ' * 25}it is.\n{short}")[-2:] == short.split("\n")


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        ("1. Pumps - they fail at night.", "1. Pumps - they fail at night."),
        ("(b) Valves – see *the other* list.", "(b) Valves – see *the other* list."),
        ("- Seals - in pairs.", "Seals - in pairs."),
        ("• Rods", "Rods"),
        ("- 5 degrees at night.", "- 5 degrees at night."),
    ],
)
def test_of_a_list_item_its_bullet_alone_is_left_out(item: str, shown: str):
    """What stands further on belongs to the sentence."""
    (found,) = split(item)
    assert found.kind is Kind.ITEM
    assert readable(item, found) == shown
