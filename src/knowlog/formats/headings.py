"""Headings of Markdown text, found in one pass over its lines."""

import re
from collections.abc import Iterator

from knowlog.formats.model import HeadingMark, Limits

_LINE = re.compile(
    r"^[ ]{0,3}(?:(?P<fence>`{3,}|~{3,})|(?P<marks>\#{1,6})[ \t]+(?P<title>\S[^\n]*)"
    r"|(?P<rule>={2,}|-{2,})[ \t]*$)",
    re.MULTILINE,
)
_FRONT_MATTER_CHARS = 4096
_MAX_TITLE_CHARS = 300
_EMPHASIS = re.compile(r"\*\*|__|`|\[([^\[\]\n]{0,200})\]\([^()\n]{0,500}\)")


def markdown_headings(text: str, limits: Limits) -> tuple[HeadingMark, ...]:
    """Return "# Title" and underlined headings in order, at most `limits.max_headings`; code holds none."""
    found: list[HeadingMark] = []
    for heading in _scan(text):
        found.append(heading)
        if len(found) >= limits.max_headings:
            break
    return tuple(found)


def front_matter_title(text: str) -> str | None:
    """Return the title of a YAML block at the very start of a Markdown file."""
    match = re.search(r"^title:[ \t]*(\S[^\n]{0,300})$", text[: _front_matter_end(text)], re.MULTILINE)
    return match[1].strip().strip("\"'") or None if match else None


def _scan(text: str) -> Iterator[HeadingMark]:
    fence = ""
    for match in _LINE.finditer(text, _front_matter_end(text)):
        if match["fence"]:
            fence = _fence_after(fence, match["fence"])
        elif fence:
            continue
        elif match["marks"]:
            title = _plain(match["title"].rstrip().rstrip("#"))
            if title:
                yield HeadingMark(len(match["marks"]), title, match.start())
        else:
            yield from _underlined(text, match.start(), match["rule"][0])


def _fence_after(open_fence: str, mark: str) -> str:
    if not open_fence:
        return mark
    closes = mark[0] == open_fence[0] and len(mark) >= len(open_fence)
    return "" if closes else open_fence


def _underlined(text: str, rule_start: int, mark: str) -> Iterator[HeadingMark]:
    """Yield the line above a rule of "=" or "-", when it is a short line of its own paragraph."""
    end = rule_start - 1
    start = text.rfind("\n", max(0, end - _MAX_TITLE_CHARS), end) + 1 if end > 0 else 0
    if end <= 0 or (start == 0 and end > _MAX_TITLE_CHARS):
        return
    title = text[start:end].strip()
    alone = start < 2 or text[start - 2] == "\n"
    if title and alone and title[0] not in "#>|-*+=`~":
        yield HeadingMark(1 if mark == "=" else 2, _plain(title), start)


def _plain(title: str) -> str:
    return _EMPHASIS.sub(lambda match: match[1] or "", title).strip()[:_MAX_TITLE_CHARS]


def _front_matter_end(text: str) -> int:
    if not text.startswith("---\n"):
        return 0
    end = text.find("\n---\n", 3, _FRONT_MATTER_CHARS)
    return end + 5 if end >= 0 else 0
