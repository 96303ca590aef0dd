"""A sentence quoted in part, where no choice of whole ones has the length that was wished."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from knowlog.summarizing.model import Count, SummaryStatement

_CLAUSE = re.compile(r"[,;:](?=\s)|[，；：、]|(?=\s[—–]\s)")
_WORD_END = re.compile(r"(?<=\w)(?=\s)|(?<=[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af])")
_DOTS = " …"
_LEAST = 3
"""Fewer words of a sentence say nothing."""


def begun(
    statements: Sequence[SummaryStatement], low: int, high: int, count: Count
) -> tuple[int, SummaryStatement] | None:
    """Return the beginning of the first of the quotations that has one as long as is wanted, and its place; None where
    none has. It ends at a clause if it can, else at a word.
    """
    if high < _LEAST:
        return None
    for ends in (_CLAUSE, _WORD_END):
        for place, each in enumerate(statements):
            if not each.written and (shorter := _shortened(each, ends, low, high, count)):
                return place, shorter
    return None


def _shortened(
    statement: SummaryStatement, ends: re.Pattern[str], low: int, high: int, count: Count
) -> SummaryStatement | None:
    (cited,) = statement.citations
    for end in _ends(cited.quote, ends):
        text = " ".join(cited.quote[:end].split()) + _DOTS
        if low <= count(text) <= high:
            part = replace(cited, quote=cited.quote[:end], end=cited.start + end)
            return replace(statement, text=text, citations=(part,))
    return None


def _ends(quote: str, ends: re.Pattern[str]) -> Iterator[int]:
    """Where a beginning of the quote can end, the longest first."""
    yield from sorted(
        {match.end() for match in ends.finditer(quote) if 0 < match.end() < len(quote)}, reverse=True
    )
