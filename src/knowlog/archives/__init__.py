"""A tenant as one file: written, checked, brought in elsewhere."""

from knowlog.archives.bringing import bring_in
from knowlog.archives.contents import LEFT_OUT, TABLES
from knowlog.archives.model import Brought, Manifest
from knowlog.archives.reading import check_archive
from knowlog.archives.writing import write_archive

__all__ = [
    "LEFT_OUT",
    "TABLES",
    "Brought",
    "Manifest",
    "bring_in",
    "check_archive",
    "write_archive",
]
