"""Summaries of quotations."""

from uuid import UUID

import pytest

from knowlog.documents import Heading, Page, Structure
from knowlog.summarizing import Form, Length, Source, extract, quotables, words

SOURCE = Source(UUID(int=1), 3, "handbook", "pump", "The pump")
TEXT = "# The pump\n\n" + "\n".join(
    f"The pump moves {n} litres of water in an hour, which operators of plant {n} note in a book. Nobody reads it."
    for n in range(40)
)


@pytest.mark.parametrize("form", ["brief", "bullets", "executive"])
@pytest.mark.parametrize("target", [30, 100, 400])
def test_the_length_is_kept(form: Form, target: int) -> None:
    """As white space separates words, with the marks of a list and without."""
    made = extract(quotables(TEXT, SOURCE, Structure()), Length(target), form, words)
    assert made.within
    for text in (made.text, " ".join(each.text for each in made.statements)):
        assert abs(len(text.split()) - target) <= 0.1 * target


@pytest.mark.parametrize("form", ["brief", "bullets", "executive"])
def test_statements_come_as_they_stand_in_the_text(form: Form) -> None:
    """So that the first source is the first sentence's, also where the most telling one leads."""
    made = extract(quotables(TEXT, SOURCE, Structure()), Length(100), form, words)
    places = [made.text.index(each.text) for each in made.statements]
    assert places == sorted(places)
    assert len(places) > 2


def test_quotes_stand_where_they_say() -> None:
    """With version, page and headings; no sentence comes twice, headings are not quoted."""
    structure = Structure((Page(1, 0, 900), Page(2, 900, len(TEXT))), (Heading(1, "The pump", 0),))
    made = extract(quotables(TEXT, SOURCE, structure), Length(200), "brief", words)
    cited = [each.citations[0] for each in made.statements]
    assert [TEXT[each.start : each.end] for each in cited] == [each.quote for each in cited]
    assert {each.version for each in cited} == {3}
    assert all(
        each.pages == ((1,) if each.end <= 900 else (2,)) for each in cited if not each.start < 900 < each.end
    )
    assert {each.headings for each in cited} == {("The pump",)}
    assert len({each.quote for each in cited}) == len(cited)


def test_what_is_common_to_a_text_comes_before_what_is_said_once() -> None:
    """And what was said is not said again in nearly the same words."""
    text = (
        "The audit found errors in the accounts of the bank. Lunch was served at noon in the hall. "
        "The audit found errors in the accounts of this bank. The bank corrected its accounts after the audit. "
        "A dog barked in the street outside. Auditors of the bank will look at the accounts again in May."
    )
    made = extract(quotables(text, SOURCE, Structure()), Length(22), "brief", words)
    assert "dog" not in made.text
    assert "Lunch" not in made.text
    assert made.text.count("found errors") == 1


def test_nothing_and_little_are_told() -> None:
    """An empty text has no summary; a short one is quoted whole."""
    nothing = extract(quotables("", SOURCE, Structure()), Length(100), "brief", words)
    assert (nothing.text, nothing.within, len(nothing.notes)) == ("", False, 1)
    little = extract(quotables("One sentence is all.", SOURCE, Structure()), Length(100), "brief", words)
    assert (little.text, little.within) == ("One sentence is all.", False)


def test_scripts_without_spaces_are_counted_by_character() -> None:
    """Else a whole page would be one word."""
    assert words("日本語 and words") == 5
