"""A thread as Markdown: what documents say stays text."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from knowlog.answering import Citation, Statement
from knowlog.threads import GONE, Thread, Turn, as_markdown

NOW = datetime(2026, 11, 22, tzinfo=UTC)
THREAD = Thread(UUID(int=1), "Pumps", 1, NOW, NOW)


def turn(text: str, withheld: int = 0) -> Turn:
    """A turn whose answer quotes a text; none for an empty one."""
    cited = Citation(text, UUID(int=2), 1, "handbook", "h.md", "Handbook", 0, len(text), (3,), (), 1.0)
    statements = (Statement(text, (cited,), 1.0),) if text else ()
    return Turn(
        1, "How long?", None, "answered", statements, withheld, 1.0, "extractive", "hybrid", (), (), NOW
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("![x](https://evil.example/a.png)", "\\!\\[x\\]\\(https\\://evil.example/a.png\\)"),
        ("<img src=x>", "\\<img src=x\\>"),
        ("# Not a heading", "\\# Not a heading"),
        ("1. Not a list", "1\\. Not a list"),
        ("www.evil.example and a@evil.example", "www\\.evil.example and a\\@evil.example"),
        ("a\x1b[2Jb", "a\\[2Jb"),
        ("| a | b |", "\\| a \\| b \\|"),
    ],
)
def test_no_mark_of_a_document_comes_to_life(text: str, shown: str) -> None:
    """Neither images, links, tags and headings, nor what terminals obey."""
    page = as_markdown(THREAD, [turn(text)])
    assert f"\n\n{shown}\n\n> “{shown}”" in page


def test_a_page_names_where_each_quote_stands() -> None:
    """Title, page, document, version and characters."""
    page = as_markdown(THREAD, [turn("Two years.")])
    assert page.startswith("# Pumps\n\n## 1. How long?\n\n*2026-11-22 00:00 UTC*\n\nTwo years.\n\n")
    assert "> Handbook; page 3; h.md, version 1, characters 0 to 10" in page


def test_what_is_gone_is_told() -> None:
    """Of an answer of which nothing is left, and of one that has more."""
    assert GONE in as_markdown(THREAD, [turn("", withheld=1)])
    assert f"*1 more: {GONE}*" in as_markdown(THREAD, [turn("Two years.", withheld=1)])
