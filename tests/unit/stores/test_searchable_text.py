"""What is embedded and indexed for a chunk."""

from knowlog.stores import searchable_text


def test_title_and_headings_stand_above_the_text() -> None:
    """A chunk from the middle of a document is found by the document's name too."""
    assert (
        searchable_text("Handbook", ("Travel", "Trains"), "Book early.")
        == "Handbook\nTravel\nTrains\nBook early."
    )


def test_what_the_text_opens_with_is_not_repeated() -> None:
    """A chunk that begins with its heading does not count it twice."""
    assert (
        searchable_text("Handbook", ("Travel",), "# Travel\nBook early.") == "Handbook\n# Travel\nBook early."
    )


def test_a_title_that_is_a_heading_too_appears_once() -> None:
    """Nor do title and heading repeat each other."""
    assert searchable_text("Travel", ("Travel",), "Book early.") == "Travel\nBook early."
