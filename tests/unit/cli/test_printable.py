"""What a document holds reaches a terminal as text."""

from knowlog.cli.output import printable


def test_control_characters_become_visible() -> None:
    """An escape sequence in a title or quote does not steer the terminal; lines and tabs stay."""
    shown = printable({"title": "a\x1b[2Jb", "quotes": ["x\ty\nz\x07"], "page": 3})
    assert shown == {"title": "a\ufffd[2Jb", "quotes": ["x\ty\nz\ufffd"], "page": 3}
