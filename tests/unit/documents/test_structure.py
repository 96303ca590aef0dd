"""Where a span stands: its page and the headings above it."""

from knowlog.documents import Heading, Page, Section, Structure

STRUCTURE = Structure(
    pages=(Page(1, 0, 50), Page(2, 50, 100)),
    headings=(
        Heading(1, "One", 0),
        Heading(2, "A", 10),
        Heading(3, "a", 20),
        Heading(2, "B", 30),
        Heading(1, "Two", 60),
    ),
)


def test_headings_above_an_offset_outermost_first() -> None:
    """Deeper headings of a closed section do not count."""
    assert STRUCTURE.headings_at(25) == ("One", "A", "a")
    assert STRUCTURE.headings_at(35) == ("One", "B")
    assert STRUCTURE.headings_at(99) == ("Two",)


def test_a_heading_counts_from_its_own_start() -> None:
    """The heading's line belongs to its section."""
    assert STRUCTURE.headings_at(10) == ("One", "A")
    assert STRUCTURE.headings_at(9) == ("One",)


def test_text_before_the_first_heading_has_none() -> None:
    """Nothing is above it."""
    assert Structure(headings=(Heading(1, "One", 5),)).headings_at(4) == ()


def test_page_of_an_offset() -> None:
    """A page begins at its start and ends before its end."""
    assert [STRUCTURE.page_at(offset) for offset in (0, 49, 50)] == [1, 1, 2]
    assert Structure().page_at(3) is None


def test_sections_that_begin_inside_a_span() -> None:
    """The one in which the span begins is not among them; each has its whole path."""
    assert STRUCTURE.sections_within(10, 60) == (Section(20, ("One", "A", "a")), Section(30, ("One", "B")))
    assert STRUCTURE.sections_within(35, 100) == (Section(60, ("Two",)),)
    assert STRUCTURE.sections_within(31, 60) == ()
