"""Text to sentences: spans that can be quoted, with exact offsets, in one pass over the text.

A line decides first what it is: a table row and a list item are each one statement; headings, table heads and
rules are kept apart, because they are never an answer by themselves; everything else is prose. The tables of a PDF have
no marks: there a line is a row that ends in two figures or more, and what stands before its figures may begin on a line
above; where all of them are years, it is the table's head. Prose goes to
`sentencex` (Wikimedia's splitter: abbreviations, initials, full stops of many scripts), by its rules for English, or for
German where the text's small words are German: there "30. Juni" ends no sentence. What is still longer than `LONGEST`
tokens is cut at the clause nearest to its middle. Nothing is ever rewritten, so `text[start:end]` is the sentence for
every span returned.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Protocol

import sentencex

from knowlog.answering.language import language_of

LONGEST = 64
"""Tokens (words, marks, single CJK characters) above which a sentence is cut at a clause."""

_AT_ONCE = 10_000
"""Characters of a paragraph that are split at once."""
_TELLING = 2_000
"""Characters of a text from which its language is told."""

_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af]|[^\W_]+|[^\w\s]")
_HASH_HEADING = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+\S")
_UNDERLINE = re.compile(r"[ \t]{0,3}(=+|-{2,})[ \t]*$")
_RULE = re.compile(r"[ \t]*([-*_=~][ \t]*){3,}$")
_ITEM_MARK = re.compile(r"[ \t]*(?:[-*+•‣▪◦●○–]|\d{1,3}[.)]|[A-Za-z][.)]|\([0-9A-Za-z]{1,3}\))[ \t]+(?=\S)")
BULLET = re.compile(r"[ \t]*(?:[*•‣▪◦●○]|[-+–](?=[ \t]+[^\W\d]))[ \t]+(?=\S)")
"""A mark that says nothing. A dash before a figure may be its sign, and `12.` or `C.` may belong to the sentence."""
_FENCE = re.compile(r"[ \t]*(```|~~~)")
_CELL_COMMA = re.compile(r"[,;](?!\s|\d{3}\b)")
_TABLE_RULE = frozenset("|-:+ \t")
_CURRENCY = "$€£¥"
_CELL = re.compile(r"[-−–+($€£¥]{0,4}\d+(?:,\d{3})*(?:\.\d+)?[)%]{0,2}|[—–-]|N/[AM]|NM")
_CELLS_READ = 16
_LONGEST_ROW = 400
"""Characters of a row whose words begin on lines above its figures."""
_YEAR = re.compile(r"(?:19|20)\d\d")
_ENDED = ".:;!?。？！"
_WRAPPED = 40
"""Characters of a line from which it may be a wrapped one, however wide others are that stand beside it."""
_CLAUSES = (re.compile(r"[;；]\s*|:\s+|\s[—–]\s"), re.compile(r"[,،、，]\s*(?=\D)"), re.compile(r"\s+"))


class Kind(StrEnum):
    """What a sentence is in its document."""

    PROSE = "prose"
    ITEM = "item"
    ROW = "row"
    HEADING = "heading"


@dataclass(frozen=True, slots=True)
class Sentence:
    """`text[start:end]`, without outer white space; `block` counts paragraphs, items and rows from 0.

    `cut_before` and `cut_after`: it is a part of a longer sentence, of which something stands there.
    """

    start: int
    end: int
    kind: Kind
    block: int
    cut_before: bool = False
    cut_after: bool = False


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    kind: Kind | None  # None: nothing to quote (blank line, rule)


def token_count(text: str) -> int:
    """Count words, marks and single CJK characters: close to a model's tokens, and needs no model."""
    return sum(1 for _ in _TOKEN.finditer(text))


class Cut(Protocol):
    """What is quoted: what it is, and whether something of the sentence stands before or after it."""

    @property
    def kind(self) -> Kind:
        """What it is in its document."""

    @property
    def cut_before(self) -> bool:
        """Something stands before it."""

    @property
    def cut_after(self) -> bool:
        """Something stands after it."""


def readable(quote: str, of: Cut) -> str:
    """Return a quote on one line, without the bullet of a list item or the outer bars of a table row; dots show where
    something of the sentence is left out.
    """
    text = " ".join(quote.split())
    if of.kind is Kind.ROW:
        return text.strip("| ") or text
    if of.kind is Kind.ITEM:
        mark = BULLET.match(text)
        text = text[mark.end() :] if mark else text
    return f"{'… ' if of.cut_before else ''}{text}{' …' if of.cut_after else ''}"


def split(text: str, headings: Iterable[str] = ()) -> list[Sentence]:
    """Split `text` into sentences in reading order.

    `headings` are titles known to stand in the text: a line that equals one is a heading even without markup.
    """
    titles = {title.strip().casefold() for title in headings if title.strip()}
    rules = "de" if language_of(text[:_TELLING]) == "German" else "en"
    sentences: list[Sentence] = []
    for number, (kind, start, end) in enumerate(_blocks(text, titles)):
        for first, last in _whole(text, kind, start, end, rules):
            parts = list(_cut(text, first, last)) if kind is not Kind.HEADING else [(first, last)]
            sentences += [Sentence(*part, kind, number, part[0] > first, part[1] < last) for part in parts]
    return sentences


def _whole(text: str, kind: Kind, start: int, end: int, rules: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of the sentences of one block, however long they are."""
    if kind is Kind.HEADING or (kind is not Kind.PROSE and token_count(text[start:end]) <= LONGEST):
        yield start, end
    else:
        yield from _sentence_spans(text, start, end, rules)


def _sentence_spans(text: str, start: int, end: int, rules: str) -> Iterator[tuple[int, int]]:
    """Yield the sentences of text[start:end]. The splitter gets no more than `_AT_ONCE` characters: many quotation marks
    that nothing closes cost it the square of their number. The last sentence of a part begins the next one.
    """
    while start < end:
        upto = min(start + _AT_ONCE, end)
        if upto < end:
            upto = text.rfind(" ", start + _AT_ONCE // 2, upto) + 1 or upto
        ends = list(_ends(text, start, upto, rules))
        if upto < end and len(ends) > 1:
            del ends[-1]
        for last in ends:
            yield from _stripped(text, start, last)
            start = last


def _ends(text: str, start: int, end: int, rules: str) -> Iterator[int]:
    """Yield where each sentence of text[start:end] ends: the pieces add up to it, so that is their running sum."""
    for piece in sentencex.segment(rules, text[start:end]):
        if not text.startswith(piece, start):  # the splitter changed a character: keep the rest whole
            break
        start += len(piece)
        if piece:
            yield start
    if start < end:
        yield end


def _stripped(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the span without outer white space, unless nothing is left."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield [start, end) in pieces of at most LONGEST tokens."""
    pending = [(start, end)]
    while pending:
        first, last = pending.pop()
        tokens = [match.start() for match in _TOKEN.finditer(text, first, last)]
        if len(tokens) <= LONGEST:
            yield from _stripped(text, first, last)
            continue
        cut = _clause_boundary(text, tokens, last)
        pending += [(cut, last), (first, cut)]


def _clause_boundary(text: str, tokens: list[int], end: int) -> int:
    """Return where to cut: at the strongest mark in the middle half, and there nearest to the middle."""
    low, middle, high = (tokens[len(tokens) * part // 4] for part in (1, 2, 3))
    for clause in _CLAUSES:
        cuts = [match.end() for match in clause.finditer(text, low, min(high, end)) if match.end() < end]
        if cuts:
            return min(cuts, key=lambda cut: abs(cut - middle))
    return middle


def _blocks(text: str, titles: set[str]) -> Iterator[tuple[Kind, int, int]]:
    """Join lines that belong together: wrapped lines of a paragraph, and the further lines of a list item."""
    open_kind, start, end = None, 0, 0
    for line, joins in _joined(text, _lines(text, titles)):
        joins = joins and (line.kind is not Kind.ROW or line.end - start <= _LONGEST_ROW)
        if open_kind is not None and not joins:
            yield open_kind, start, end
        if not joins:
            start = line.start
        if not joins or line.kind is Kind.ROW:  # whose words began as prose
            open_kind = line.kind
        end = line.end
    if open_kind is not None:
        yield open_kind, start, end


def _joined(text: str, lines: Iterable[_Line]) -> Iterator[tuple[_Line, bool]]:
    """Yield each line of a paragraph with whether it continues the one before it."""
    for has_text, group in groupby(lines, key=lambda line: line.kind is not None):
        paragraph = list(group) if has_text else []
        width = max((line.end - line.start for line in paragraph), default=0)
        for previous, line in zip([None, *paragraph], paragraph, strict=False):
            yield line, previous is not None and _continues(text, previous, line, width)


def _continues(text: str, previous: _Line, line: _Line, width: int) -> bool:
    """Tell a wrapped line from an ended one: had the next word fitted easily, the break was meant, unless the next line
    goes on in mid-sentence.
    """
    if line.kind is Kind.ROW and previous.kind is Kind.PROSE and figures(text[line.start : line.end]):
        return _ends_row(text, previous, line, width)
    if line.kind is not Kind.PROSE or previous.kind not in (Kind.PROSE, Kind.ITEM):
        return False
    if previous.kind is Kind.ITEM and text[line.start - 1 : line.start] in (" ", "\t"):
        return True
    return _filled(text, previous, line, width) > 0.7 or _goes_on(text, previous, line)


def _goes_on(text: str, previous: _Line, line: _Line) -> bool:
    long = previous.end - previous.start >= _WRAPPED
    return long and text[previous.end - 1] not in _ENDED and text[line.start].islower()


def _filled(text: str, previous: _Line, line: _Line, width: int) -> float:
    """How much of the width a line would have filled with the first word of the next."""
    next_word = text[line.start : line.end].split(maxsplit=1)[0]
    return ((previous.end - previous.start) + 1 + len(next_word)) / width


def _ends_row(text: str, previous: _Line, line: _Line, width: int) -> bool:
    """Whether a line with figures ends a row whose words begin above: it has no words, or goes on in mid-sentence."""
    if text[previous.end - 1] in _ENDED:
        return False
    first = text[line.start]
    return (
        first.islower()
        or not any(map(str.isalpha, text[line.start : line.end]))
        or _filled(text, previous, line, width) > 0.95
    )


def _lines(text: str, titles: set[str]) -> Iterator[_Line]:
    """Classify each line; white space around it is left out of its span."""
    spans = list(_line_spans(text))
    in_code = False
    for index, (start, end) in enumerate(spans):
        line = text[start:end]
        following = text[slice(*spans[index + 1])] if index + 1 < len(spans) else ""
        stripped = next(_stripped(text, start, end), None)
        if _FENCE.match(line):
            in_code = not in_code
            stripped = None
        kind = _kind(line, following, titles, in_code) if stripped else None
        yield _Line(*(stripped or (start, start)), kind)


def _line_spans(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield start, end
        start = end + 1


def _kind(line: str, following: str, titles: set[str], in_code: bool) -> Kind | None:
    """Return what a line that is not blank is, or None for a rule."""
    if in_code:
        return Kind.ROW
    if _is_table_rule(line) or _RULE.match(line) or _UNDERLINE.match(line):
        return None
    if _HASH_HEADING.match(line) or line.strip().casefold() in titles or _is_header(line, following):
        return Kind.HEADING
    if cells := figures(line):
        return Kind.HEADING if all(map(_YEAR.fullmatch, cells)) else Kind.ROW
    if _ITEM_MARK.match(line):
        return Kind.ITEM
    return Kind.ROW if _is_row(line) else Kind.PROSE


def figures(line: str) -> list[str]:
    """The figures with which a line ends, from the last to the first, where there are two or more; else none."""
    cells = []
    for token in reversed(line.rsplit(maxsplit=_CELLS_READ)[-_CELLS_READ:]):
        if token in _CURRENCY or token in ("%", ")", ")%"):
            continue
        if not _CELL.fullmatch(token):
            break
        cells.append(token)
    return cells if len(cells) > 1 else []


def _is_row(line: str) -> bool:
    """Tell whether a line holds cells: set apart by bars, by tabs, or by commas with nothing after them."""
    return line.count("|") >= 2 or "\t" in line.strip() or sum(1 for _ in _CELL_COMMA.finditer(line)) >= 3


def _is_table_rule(line: str) -> bool:
    """Tell whether a line is the rule between a Markdown table's head and its body."""
    return "|" in line and "-" in line and _TABLE_RULE.issuperset(line)


def _is_header(line: str, following: str) -> bool:
    """Tell whether the next line underlines this one, as a title or as the head of a table."""
    if _is_row(line):
        return _is_table_rule(following)
    return bool(_UNDERLINE.match(following)) and len(line) <= 120
