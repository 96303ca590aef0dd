"""The nouns of documents. Offsets are code points of the version's text; spans are half open: [start, end)."""

from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Page:
    """One page (or slide, or sheet) of a version: its number, counted from 1, and its span of the text."""

    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading at offset `start` of the text; `level` 1 is the outermost."""

    level: int
    title: str
    start: int


@dataclass(frozen=True, slots=True)
class Structure:
    """Pages and headings of a text, each ordered by start."""

    pages: tuple[Page, ...] = ()
    headings: tuple[Heading, ...] = ()

    def page_at(self, offset: int) -> int | None:
        """Return the number of the page that holds `offset`, or None in a text without pages."""
        index = bisect_right(self.pages, offset, key=lambda page: page.start) - 1
        return self.pages[index].number if index >= 0 else None

    def headings_at(self, offset: int) -> tuple[str, ...]:
        """Return the titles of the headings above `offset`, outermost first."""
        last = bisect_right(self.headings, offset, key=lambda heading: heading.start)
        path: list[Heading] = []
        for heading in self.headings[:last]:
            while path and path[-1].level >= heading.level:
                path.pop()
            path.append(heading)
        return tuple(heading.title for heading in path)


@dataclass(frozen=True, slots=True)
class ParsedText:
    """What a parser makes of a file: its text, where pages and headings lie in it, and its own title if it has one."""

    text: str
    structure: Structure = field(default_factory=Structure)
    title: str | None = None
    media_type: str = "text/plain"
