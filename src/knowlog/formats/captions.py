"""Headings of a PDF without an outline: the short capitalised lines at the top of its pages.

What stands at the top of many pages is a running header, and what stands below a line of another kind is the
page's text. So a table that fills several pages, and each chunk of it, keeps its name.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, takewhile

from knowlog.formats.model import HeadingMark, PageSpan

_LEAST_PAGES = 3  # in fewer, a running header cannot be told from a heading
_LINES = 5
_MOST = 2
_LONGEST = 90
_REPEATED_SHARE = 0.25
_CAPITALISED_SHARE = 0.75
_NUMBERS = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_JOINING = frozenset(
    ["a", "an", "and", "as", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"]
)


def captions(text: str, pages: Sequence[PageSpan]) -> Iterator[HeadingMark]:
    """Yield up to two headings a page, at the page's start, the first of level 1 and the second of level 2."""
    if len(pages) < _LEAST_PAGES:
        return
    tops = [_top_lines(text, page) for page in pages]
    found_on = Counter(key for lines in tops for key in set(map(_without_numbers, lines)))
    most = max(1, len(pages) * _REPEATED_SHARE)
    for page, lines in zip(pages, tops, strict=True):
        own = (line for line in lines if found_on[_without_numbers(line)] <= most)
        for level, title in enumerate(islice(takewhile(_is_caption, own), _MOST), start=1):
            yield HeadingMark(level, title, page.start)


def _top_lines(text: str, page: PageSpan) -> list[str]:
    """Return the first lines of a page that are not blank, if it has more than these."""
    lines = [" ".join(line.split()) for line in text[page.start : page.end][: _LINES * 200].split("\n")]
    filled = [line for line in lines if line]
    return filled[: min(_LINES, len(filled) - 1)]


def _without_numbers(line: str) -> str:
    return _NUMBERS.sub("", line).strip().casefold()


def _is_caption(line: str) -> bool:
    """Tell whether a line is short, is no sentence or row of figures, and has nearly all words capitalised."""
    words = [word for word in _WORD.findall(line) if word.casefold() not in _JOINING]
    if not words or len(line) > _LONGEST or line.endswith((".", ",", ";")):
        return False
    capitalised = sum(word[0].isupper() for word in words)
    digits = sum(map(str.isdigit, line))
    return capitalised >= _CAPITALISED_SHARE * len(words) and digits < len(line) / 4
