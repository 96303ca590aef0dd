"""Ids, time and errors. No I/O, and nothing of ours is imported here."""

from knowlog.kernel.clock import now
from knowlog.kernel.ids import id_at, new_id

__all__ = ["id_at", "new_id", "now"]
