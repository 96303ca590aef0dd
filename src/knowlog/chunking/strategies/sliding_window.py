"""Sliding window: fixed size, and each chunk begins with the end of the one before, so that what lies on a border is
whole in one of the two.
"""

from knowlog.chunking.model import Span
from knowlog.chunking.strategies.fixed import windows
from knowlog.chunking.work import Work


def split(work: Work) -> list[Span]:
    """Return spans of `size_tokens` that repeat at most the share `overlap` of it, in whole words."""
    return work.spans(windows(work, int(work.size * work.profile.overlap)))
