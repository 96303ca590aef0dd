"""Fixed size: as many tokens as a chunk may have, whatever they say. For logs, tables and trials.

The cut moves back to the last space, so that no word is parted; content is not looked at.
"""

from knowlog.chunking.model import Span
from knowlog.chunking.tokens import Range
from knowlog.chunking.work import Work


def split(work: Work) -> list[Span]:
    """Return spans of `size_tokens`, the last of which may be shorter; nothing is repeated."""
    return work.spans(windows(work, overlap=0))


def windows(work: Work, overlap: int) -> list[Range]:
    """Return ranges as large as may be, each of which repeats at most `overlap` tokens of the one before."""
    ranges: list[Range] = []
    first = end = 0
    while end < len(work.tokens):
        most = min(first + work.size, len(work.tokens))
        least = max(end + 1, first + work.size // 2)
        end = most if most == len(work.tokens) else work.tokens.last_cut(least, most)
        ranges.append((first, end))
        first = work.tokens.first_cut(max(end - overlap, first + 1), end) if overlap else end
    return ranges
