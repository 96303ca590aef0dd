"""What a document holds reaches a terminal as text."""

import pytest

from knowlog.cli.answers import place
from knowlog.cli.output import printable, show, show_fields, table


def test_control_characters_become_visible() -> None:
    """An escape sequence in a title or quote does not steer the terminal; lines and tabs stay."""
    shown = printable({"title": "a\x1b[2Jb", "quotes": ["x\ty\nz\x07"], "page": 3})
    assert shown == {"title": "a\\x1b[2Jb", "quotes": ["x\ty\nz\\x07"], "page": 3}


def test_a_name_with_line_breaks_stays_in_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    """In tables, in fields and in citations."""
    odd = "two\nlines\u2028and\x85more"
    show(table(("Name",), [[printable(odd)]]))
    show_fields(printable({"name": odd}))
    shown = r"two\nlines\u2028and\x85more"
    assert capsys.readouterr().out.split("\n") == ["Name", shown, f"name  {shown}", ""]
    assert place({"title": "a\nb", "page": 2}) == r"a\nb, page 2"
