"""Where a text may be cut well: the places where a section, a paragraph, a line or a sentence begins."""

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np

from knowlog.chunking.tokens import Indices, TokenMap
from knowlog.documents.model import Structure

_PARAGRAPH = re.compile(r"\n[ \t\r]*\n\s*")
_LINE = re.compile(
    r"\n(?:(?<=[.!?:;|…。！？।؟]\n)|(?<=[.!?:;|…。！？।؟] \n)|(?=[ \t]{0,20}(?:[-*+•·|#>]|\d{1,3}[.)])))"
)
_SENTENCE = re.compile(
    r"[.!?…؟।。！？](?:"
    r"[\"')\]»”’」』）]{0,3}\s+(?=[^\sa-z])"  # western, Arabic and Indic ends, where no small letter follows
    r"|(?<=[。！？])[」』”’）]{0,3})"  # Chinese and Japanese ends, which no space follows
)
_NEWLINE = re.compile(r"\n")


def section_starts(structure: Structure, tokens: TokenMap) -> Indices:
    """Return the tokens that start a section of the top level: the outermost that has several headings."""
    levels = Counter(heading.level for heading in structure.headings)
    several = [level for level, count in levels.items() if count > 1]
    top = min(several or levels, default=0)
    return _tokens_at(tokens, (heading.start for heading in structure.headings if heading.level <= top))


def heading_starts(structure: Structure, tokens: TokenMap) -> Indices:
    """Return the tokens at which headings of any level start."""
    return _tokens_at(tokens, (heading.start for heading in structure.headings))


def page_starts(structure: Structure, tokens: TokenMap) -> Indices:
    """Return the tokens at which pages after the first start; pages without text start none."""
    filled = [page.start for page in structure.pages if page.end > page.start]
    return _tokens_at(tokens, filled[1:])


def paragraph_starts(text: str, structure: Structure, tokens: TokenMap) -> Indices:
    """Return the tokens after blank lines and at the start of pages."""
    pages = [page.start for page in structure.pages]
    return _tokens_at(
        tokens, sorted([*_ends(_PARAGRAPH, text), *pages]) if pages else _ends(_PARAGRAPH, text)
    )


def line_starts(text: str, tokens: TokenMap) -> Indices:
    """Return the tokens that start a list item, a table row or a line after a finished one."""
    return _tokens_at(tokens, _ends(_LINE, text))


def sentence_starts(text: str, tokens: TokenMap) -> Indices:
    """Return the tokens that start a sentence."""
    return _tokens_at(tokens, _ends(_SENTENCE, text))


def newline_starts(text: str, tokens: TokenMap) -> Indices:
    """Return the tokens that start any line, wrapped ones among them."""
    return _tokens_at(tokens, _ends(_NEWLINE, text))


def _ends(pattern: re.Pattern[str], text: str) -> Iterable[int]:
    return (match.end() for match in pattern.finditer(text))


def _tokens_at(tokens: TokenMap, offsets: Iterable[int]) -> Indices:
    return tokens.at_or_after(np.fromiter(offsets, dtype=np.int64))
