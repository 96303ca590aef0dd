"""Bytes of a file to text with its pages and headings. Imports no other room but kernel, for it runs in the
child process that reads strangers' files, where nothing else of ours should be within reach.
"""

from knowlog.formats.kinds import Kind, detect
from knowlog.formats.model import Extracted, HeadingMark, Limits, PageSpan, Source
from knowlog.formats.registry import SAFE_IN_PROCESS, read

__all__ = [
    "SAFE_IN_PROCESS",
    "Extracted",
    "HeadingMark",
    "Kind",
    "Limits",
    "PageSpan",
    "Source",
    "detect",
    "read",
]
