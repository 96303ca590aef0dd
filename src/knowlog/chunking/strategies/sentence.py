"""Sentences: as many whole ones as fit, or as the profile says. For support pages and questions with short answers.

A line of a list or table and a heading count as sentences.
"""

from knowlog.chunking.model import Span
from knowlog.chunking.packing import pack
from knowlog.chunking.work import Work


def split(work: Work) -> list[Span]:
    """Return spans of whole sentences that repeat at most the share `overlap`, in whole sentences."""
    profile = work.profile
    overlap = int(work.size * profile.overlap)
    return work.spans(pack(work, work.places.units, work.size, overlap=overlap, most_units=profile.sentences))
