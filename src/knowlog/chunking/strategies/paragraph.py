"""Paragraphs: cut at blank lines, headings and pages; short ones are joined up to the size, long ones cut anew."""

from knowlog.chunking.model import Span
from knowlog.chunking.packing import pack
from knowlog.chunking.work import Work


def split(work: Work) -> list[Span]:
    """Return spans of whole paragraphs; nothing is repeated."""
    return work.spans(pack(work, work.places.paragraphs, work.size))
