"""A thread as a page of Markdown. What documents say stays text there: no mark, link or image of theirs comes to life."""

import re
from collections.abc import Iterator, Sequence

from knowlog.answering import Citation, Statement
from knowlog.threads.model import GONE, Thread, Turn

_MARKS = re.compile(r"([\\`*_{}\[\]<>()#+!|~@&]|^[-=]|:(?=//)|(?<=www)\.)")
_NUMBER = re.compile(r"^(\d+)\.")


def as_markdown(thread: Thread, turns: Sequence[Turn]) -> str:
    """Return a heading for the thread and for each question, its answer, and the quotes that it rests on."""
    return "\n\n".join(_blocks(thread, turns)) + "\n"


def _blocks(thread: Thread, turns: Sequence[Turn]) -> Iterator[str]:
    yield f"# {_plain(thread.title or 'Thread')}"
    for turn in turns:
        yield f"## {turn.turn}. {_plain(turn.question)}"
        yield f"*{turn.asked_at:%Y-%m-%d %H:%M} UTC*"
        if not any(each.answers for each in turn.statements):
            yield _plain(turn.text)
        for statement in turn.statements:
            yield from _stated(statement)
        if turn.withheld and turn.statements:
            yield f"*{turn.withheld} more: {GONE}*"


def _stated(statement: Statement) -> Iterator[str]:
    yield _plain(statement.text) if statement.answers else f"See also: {_plain(statement.text)}"
    for each in statement.citations:
        yield f"> “{_plain(each.quote)}”\n>\n> {_plain(_place(each))}"


def _place(cited: Citation) -> str:
    pages = ", ".join(map(str, cited.pages))
    parts = (
        cited.title,
        f"page {pages}" if pages else "",
        f"{cited.external_id}, version {cited.version}, characters {cited.start} to {cited.end}",
    )
    return "; ".join(part for part in parts if part)


def _plain(text: str) -> str:
    """Text on one line, with a backslash before every mark that Markdown knows, and nothing that terminals obey."""
    shown = "".join(each for each in " ".join(text.split()) if each.isprintable())
    return _NUMBER.sub(r"\1\\.", _MARKS.sub(r"\\\1", shown))
