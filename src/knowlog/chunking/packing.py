"""Units of a text, such as sentences, joined into ranges of tokens that are as full as they can be."""

from bisect import bisect_right
from collections.abc import Sequence

from knowlog.chunking.tokens import Range
from knowlog.chunking.work import Work, between, first_within, last_within

_LEAST_FILL = 0.5


def pack(
    work: Work,
    starts: Sequence[int],
    size: int,
    within: Range | None = None,
    *,
    overlap: int = 0,
    most_units: int | None = None,
) -> list[Range]:
    """Join the units that begin at the ascending tokens `starts` into ranges of at most `size` tokens.

    A range has at most `most_units` units, and begins with those of the one before that fit into `overlap` tokens. A
    unit that is larger than a range is cut at the strongest boundary in the second half of each.
    """
    first, after_last = within or (0, len(work.tokens))
    cuts = [first, *between(starts, first, after_last), after_last]
    ranges: list[Range] = []
    at = first
    while at < after_last:
        end = _end(work, cuts, at, size, most_units)
        if ranges and end <= ranges[-1][1]:  # nothing new beside what is repeated
            at = ranges[-1][1]
            continue
        ranges.append((at, end))
        at = _next_start(cuts, at, end, overlap)
    return ranges


def best_cut(work: Work, first: int, most: int) -> int:
    """Return where to cut behind `first`, at `most` at the latest: at the strongest boundary in the second half."""
    least = first + max(1, int((most - first) * _LEAST_FILL))
    for kind in work.places.ranked:
        boundary = last_within(kind, least, most)
        if boundary is not None:
            return boundary
    return work.tokens.last_cut(least, most)


def _end(work: Work, cuts: Sequence[int], at: int, size: int, most_units: int | None) -> int:
    position = bisect_right(cuts, at + size) - 1
    if most_units is not None:
        position = min(position, bisect_right(cuts, at) - 1 + most_units)
    return cuts[position] if cuts[position] > at else best_cut(work, at, at + size)


def _next_start(cuts: Sequence[int], at: int, end: int, overlap: int) -> int:
    repeated = first_within(cuts, max(end - overlap, at + 1), end) if overlap and end < cuts[-1] else None
    return end if repeated is None else repeated
