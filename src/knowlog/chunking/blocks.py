"""The blocks of a text that are read as a whole: tables and code. Found in one pass over its lines."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_TABLE = re.compile(
    r"^[ \t]*\|[^\n]*\|[ \t]*\n[ \t]*\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*(?:\n[ \t]*\|[^\n]*)*", re.MULTILINE
)
_FENCE = re.compile(r"^[ ]{0,3}(?P<mark>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)[^\n]*\n", re.MULTILINE)
_HEADER_CHARS = 400


@dataclass(frozen=True, slots=True)
class Table:
    """A Markdown table: the offsets at which its rows start behind the header, and the header's text."""

    start: int
    end: int
    header: str
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Code at [start, end), without its fences, and the language it is said to be in."""

    start: int
    end: int
    language: str


def tables(text: str) -> list[Table]:
    """Return the tables of a text in order."""
    return [_table(text, match.start(), match.end()) for match in _TABLE.finditer(text)]


def header_at(found: Sequence[Table], offset: int) -> str | None:
    """Return the header of the table that `offset` is inside of; None where it begins one, or is in none."""
    place = bisect_right(found, offset, key=lambda table: table.start) - 1
    return found[place].header if place >= 0 and found[place].start < offset < found[place].end else None


def fenced_code(text: str) -> list[Code]:
    """Return what stands between fences, in order; a fence that is not closed reaches to the end."""
    return list(_fenced(text))


def _table(text: str, start: int, end: int) -> Table:
    lines = [start]
    while (newline := text.find("\n", lines[-1], end)) >= 0:
        lines.append(newline + 1)
    header = text[start : lines[1]].strip()
    return Table(start, end, header[:_HEADER_CHARS], tuple(lines[2:]))


def _fenced(text: str) -> Iterator[Code]:
    position = 0
    while opening := _FENCE.search(text, position):
        closing = re.compile(
            rf"^[ ]{{0,3}}{opening['mark'][0]}{{{len(opening['mark'])},}}[ \t]*$", re.MULTILINE
        )
        close = closing.search(text, opening.end())
        end, position = (close.start(), close.end()) if close else (len(text), len(text))
        yield Code(opening.end(), end, opening["language"].lower())
