"""What is read off answers and passages: claims, figures, names, fields, units."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowlog.faithfulness import read_source, split_claims
from knowlog.faithfulness.fields import Field, read_record, yes_no_fields
from knowlog.faithfulness.figures import figures, names, possible_figures


@given(st.text(max_size=300))
def test_claims_are_exact_spans_and_nothing_is_lost(answer) -> None:
    """Whatever the text: each claim stands where it says, in order, and every letter is in one."""
    claims = split_claims(answer)
    assert all(answer[each.start : each.end] == each.text for each in claims)
    assert all(one.end <= other.start for one, other in pairwise(claims))
    covered = {point for each in claims for point in range(each.start, each.end)}
    assert all(not each.isalnum() or place in covered for place, each in enumerate(answer))


def test_a_claim_is_a_sentence_or_an_item() -> None:
    """Abbreviations do not end one; lines do."""
    answer = "Dr. Smith opened it. It is red.\n- 28 days\n- a bonus"
    assert [each.text for each in split_claims(answer)] == [
        "Dr. Smith opened it.",
        "It is red.",
        "- 28 days",
        "- a bonus",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It costs $1,200.50", {"1200.5"}),
        ("open until 9 p.m.", {"21:00"}),
        ("open 16:30-21:0", {"16:30", "21:00"}),
        ("3.2 million people", {"3200000"}),
        ("twelve months", {"12"}),
        ("one of them, the first", set()),
    ],
    ids=["money", "evening", "range", "scale", "word", "vague"],
)
def test_figures_are_brought_to_one_form(text, found) -> None:
    """So that they can be compared however they are written."""
    assert figures(text) == found


def test_a_source_allows_either_half_of_the_day() -> None:
    """9:30 may be meant as 21:30; 21:00 may be called 9."""
    assert {"9:30", "21:30"} <= possible_figures("at 9:30")
    assert {"21:00", "9"} <= possible_figures("until 21:00")


def test_names_are_capitalised_words_inside() -> None:
    """The first word of a sentence is capitalised anyway."""
    assert names("Yesterday Anne Frank wrote to Miep.") == ["Anne", "Frank", "Miep"]


def test_a_record_is_read_as_json_or_as_python_writes_it() -> None:
    """Fields that are true, false or unknown are known by the words of their names; prose is no record."""
    record = read_record("{'WiFi': 'no', 'OutdoorSeating': True, 'Music': None, 'stars': 4.5}")
    assert set(yes_no_fields(record)) == {
        Field(frozenset({"wi", "fi"}), False),
        Field(frozenset({"outdoor", "seat"}), True),
        Field(frozenset({"music"}), None),
    }  # fmt: skip
    assert read_record('[{"a": true}]') == [{"a": True}]
    assert (read_record("It is {red}."), read_record("{not a record")) == (None, None)


@given(st.lists(st.text(max_size=80), max_size=3))
def test_units_stand_where_they_say(passages) -> None:
    """In prose, records and nonsense alike."""
    for unit in read_source(passages).units:
        basis = unit.basis
        assert passages[basis.passage][basis.start : basis.end] == basis.quote


@pytest.mark.parametrize(
    "hostile", ["[" * 50_000, "{'a': " * 20_000, "(" * 9_000 + ")"], ids=["lists", "dicts", "calls"]
)
def test_a_hostile_record_is_prose(hostile) -> None:
    """Nesting without end costs nothing but that it is no record."""
    assert read_record(hostile) is None
