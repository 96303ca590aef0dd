"""What commands print where no terminal is."""

from io import StringIO

import pytest
from rich.console import Console

from knowlog.cli import output
from knowlog.cli.answers import show_answer
from knowlog.cli.output import show, show_fields, table


def test_a_long_sentence_stays_on_its_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the environment says of a terminal that is not there."""
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "40")
    sentence = "The warranty of the boiler lasts for 24 months from the day of its delivery. " * 9
    show_answer({"question": "How long?", "text": "", "statements": [{"text": sentence, "citations": []}]})
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"  [1] {sentence.strip()}"


def test_a_table_is_neither_folded_nor_padded(capsys: pytest.CaptureFixture[str]) -> None:
    """Each row is a line without blanks at its end."""
    show(table(("Name", "Why"), [["a [b]", "x" * 300], ["longer name", None]]))
    assert capsys.readouterr().out.splitlines() == [
        "Name         Why", f"a [b]        {'x' * 300}", "longer name  -",
    ]  # fmt: skip


def test_an_id_is_never_folded_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not be copied; long text beside it is folded."""
    shown = StringIO()
    terminal = Console(file=shown, force_terminal=True, width=40, color_system=None, soft_wrap=True)
    monkeypatch.setattr(output, "out", terminal)
    run = "01a20200-c812-7692-a076-2deee275acd7"
    show(table(("Run", "Why", ">Recall"), [[run, "because " * 30, "0.850 to 0.983"]]))
    assert run in shown.getvalue()
    assert "0.850 to 0.983" in shown.getvalue()
    assert max(map(len, shown.getvalue().splitlines())) < 120


def test_a_value_is_shown_in_lines_a_person_reads(capsys: pytest.CaptureFixture[str]) -> None:
    """Nested members with dots, moments without fractions, nothing of what is null."""
    show_fields(
        {
            "name": "notes", "reason": None, "profile": {"depth": 100, "weight": 0.5, "once": False},
            "labels": ["a", "b"], "created_at": "2026-11-21T10:05:06.123456Z",
        }
    )  # fmt: skip
    assert capsys.readouterr().out.splitlines() == [
        "name            notes", "profile.depth   100", "profile.weight  0.5", "profile.once    no",
        "labels          a, b", "created_at      2026-11-21 10:05:06 UTC",
    ]  # fmt: skip
