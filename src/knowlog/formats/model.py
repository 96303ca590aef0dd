"""The nouns of reading a file. They cross a process border, so they are plain numbers and strings."""

from dataclasses import dataclass
from typing import NamedTuple

from knowlog.kernel.errors import ParseFailed


class PageSpan(NamedTuple):
    """Page, slide or sheet `number` (from 1) is the span [start, end) of the text, in code points."""

    number: int
    start: int
    end: int


class HeadingMark(NamedTuple):
    """A heading of `level` (1 is outermost) whose line starts at code point `start` of the text."""

    level: int
    title: str
    start: int


MOST_ROWS = 2**20
"""Of a sheet."""


class Grid(NamedTuple):
    """A sheet as a table of the text, which begins at code point `start`: its first line is row `row` of the sheet, its
    first cell is in column `column`, both from 1. `name` is the sheet's; empty where a file has one without a name.
    """

    name: str
    start: int
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may produce; more than that ends in ParseFailed naming the limit."""

    max_chars: int = 20_000_000
    max_pages: int = 5_000
    max_headings: int = 5_000
    max_unpacked_bytes: int = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it came: its bytes, the name it was sent under and the media type that the sender claimed."""

    content: bytes
    filename: str = ""
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Extracted:
    """Text with "\\n" line ends and no NUL, its pages and headings, its own title if it has one, and where sheets lie."""

    text: str
    media_type: str
    pages: tuple[PageSpan, ...] = ()
    headings: tuple[HeadingMark, ...] = ()
    title: str | None = None
    grids: tuple[Grid, ...] = ()


class Pages:
    """Collects the texts of pages in order and knows where each one lies in the whole."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parts: list[str] = []
        self._spans: list[PageSpan] = []
        self._length = 0

    @property
    def spans(self) -> tuple[PageSpan, ...]:
        """Return the spans of the pages added so far; a page without text has an empty span."""
        return tuple(self._spans)

    @property
    def text(self) -> str:
        """Return the pages' texts with one blank line between them."""
        return "".join(self._parts)

    @property
    def length(self) -> int:
        """Return how many characters `text` has."""
        return self._length

    def add(self, number: int, text: str) -> int:
        """Append a page and return the offset of its text; ParseFailed when a limit is passed."""
        text = text.strip()
        separator = "\n\n" if text and self._length else ""
        start = self._length + len(separator)
        self._length = start + len(text)
        if self._length > self._limits.max_chars:
            raise too_much_text(self._limits)
        self._parts += (separator, text)
        self._spans.append(PageSpan(number, start, self._length))
        if len(self._spans) > self._limits.max_pages:
            raise too_many_pages(self._limits)
        return start


def too_much_text(limits: Limits) -> ParseFailed:
    """Return the error for a file that holds more text than allowed."""
    return ParseFailed(
        f"The file holds more than {limits.max_chars:,} characters of text, the limit for one document."
        " Split it into smaller files."
    )


def too_many_pages(limits: Limits) -> ParseFailed:
    """Return the error for a file that has more pages than allowed."""
    return ParseFailed(
        f"The file has more than {limits.max_pages:,} pages, the limit for one document."
        " Split it into smaller files."
    )


def damaged(what: str, reason: str = "") -> ParseFailed:
    """Return the error for a file that is no readable `what`; `reason` is the reader's own."""
    detail = " ".join(reason.split())[:160].rstrip(" .")
    return ParseFailed(
        f"The file is damaged or is not {what}{f' ({detail})' if detail else ''}."
        " Open it in the program that made it, save it again and upload the new file."
    )


def encrypted(what: str) -> ParseFailed:
    """Return the error for a file that asks for a password."""
    return ParseFailed(
        f"The file is {what} protected by a password. Remove the password and upload it again."
    )


def without_text(what: str) -> ParseFailed:
    """Return the error for a file that was read well and holds no text."""
    return ParseFailed(f"The file is {what} without any text in it. Upload one that holds text.")
