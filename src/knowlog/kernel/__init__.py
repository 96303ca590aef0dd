"""Ids, time and errors. No I/O, and nothing of ours is imported here."""

from knowlog.kernel.clock import now
from knowlog.kernel.ids import new_id

__all__ = ["new_id", "now"]
