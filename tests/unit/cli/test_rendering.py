"""How answers and passages look in a terminal."""

import pytest

from knowlog.cli.answers import place, show_answer, show_passages

CITATION = {
    "quote": "It lasts [about] 24 months.",
    "title": "Warranty", "page": 8, "headings": ["Warranty", "Length"],
    "external_id": "w.pdf", "version": 2, "start": 10, "end": 36,
}  # fmt: skip


def test_a_citation_shows_where_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    """Title, page, heading, identity, version and span; brackets of the text are no markup."""
    statements = [{"text": "It lasts [about] 24 months.", "citations": [CITATION]}]
    show_answer({"question": "How long?", "text": "", "statements": statements})
    shown = capsys.readouterr().out
    assert "[1] It lasts [about] 24 months." in shown
    assert "Warranty, page 8, Length" in shown
    assert "w.pdf, version 2, characters 10 to 36" in shown


def test_an_answer_that_abstains_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing that looks like a source is printed."""
    show_answer({"question": "Who?", "text": "Not in your documents.", "statements": []})
    assert capsys.readouterr().out.strip().splitlines()[-1].strip() == "Not in your documents."


def test_who_asks_where_nothing_is_found_at_all_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """As before the first document is in; not where something was near, or the answer itself says why."""
    silent = {"question": "Who?", "text": "Not in your documents.", "statements": [], "nearest": []}
    show_answer(silent)
    assert "`knowlog documents list` shows what is there" in capsys.readouterr().err
    for more in ({"nearest": [CITATION]}, {"notes": ["1 document is still being indexed."]}):
        show_answer({**silent, **more})
        assert "documents list" not in capsys.readouterr().err


def test_an_explanation_shows_each_leg(capsys: pytest.CaptureFixture[str]) -> None:
    """Rank and score; a dash where a leg did not see the passage."""
    legs = {"dense": {"rank": 3, "score": 0.71234}}
    show_passages([{**CITATION, "text": "It lasts.", "score": 0.9, "legs": legs}], explain=True)
    shown = capsys.readouterr().out
    assert "0.712" in shown
    assert "-" in shown


def test_a_page_is_left_out_where_there_is_none() -> None:
    """As in plain text."""
    assert place({"title": "Note", "page": None, "headings": []}) == "Note"
