"""Conversations: whether those whose term is over go."""

from collections.abc import AsyncIterator
from typing import Any

from knowlog.cli.doctor.model import Finding, ok, warn
from knowlog.cli.doctor.places import of_place, told_by
from knowlog.kernel.wording import counted
from knowlog.settings import Settings

_PART = "threads"
_LATE_S = 2 * 3600
"""A worker forgets them once an hour."""


async def check_threads(settings: Settings) -> AsyncIterator[Finding]:
    """Compare the oldest with the term, in each database."""
    keep_days = settings.threads.keep_days
    async for name, (row,) in told_by(settings, "thread_overview", keep_days):
        yield of_place(name, judge(row, keep_days))


def judge(row: Any, keep_days: int) -> Finding:
    """Say what the state of the threads means. `cleaned_s`: since when no worker has looked; None: none ever did."""
    found = f"{counted(row['threads'], 'thread')}, each kept for {counted(keep_days, 'day')} after its last question"
    cleaned_s = row["cleaned_s"]
    if row["overdue_s"] > _LATE_S or (cleaned_s is not None and cleaned_s > _LATE_S):
        hours = max(row["overdue_s"], cleaned_s or 0) / 3600
        return warn(
            _PART,
            f"{found}; for {hours:.0f} hours nobody has deleted what is older ({row['overdue']} are)",
            "Start `knowlog up` or a `knowlog worker`: one of them does it each hour.",
        )
    return ok(_PART, found)
