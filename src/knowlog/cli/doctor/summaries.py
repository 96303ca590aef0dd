"""Summaries: whether they are made, and made anew where documents have changed."""

from collections.abc import AsyncIterator
from typing import Any

from knowlog.cli.doctor.model import Finding, ok, warn
from knowlog.cli.doctor.places import of_place, told_by
from knowlog.kernel.wording import counted
from knowlog.settings import Settings

_PART = "summaries"
_OLD_S = 600


async def check_summaries(settings: Settings) -> AsyncIterator[Finding]:
    """Look at what waits and what has failed, in each database."""
    async for name, (row,) in told_by(settings, "summary_overview"):
        yield of_place(name, judge(row))


def judge(row: Any) -> Finding:
    """Say what the state of the summaries means."""
    found = f"{counted(row['summaries'], 'summary')}, {row['waiting']} waiting for a worker"
    if row["oldest_s"] > _OLD_S:
        return warn(
            _PART,
            f"{found}, one of them for {row['oldest_s']:.0f} s",
            "Start another `knowlog worker`, or one with `--queues summaries`.",
        )
    if row["failed"] or row["batches_failed"]:
        return warn(
            _PART,
            f"{found}; {row['failed']} of them failed, and {row['batches_failed']} of the batches",
            "`knowlog jobs dead` says why. Their askers go on with `knowlog summaries renew` and `resume`.",
        )
    if row["outdated"]:
        return warn(
            _PART,
            f"{found}; {row['outdated']} outdated, and no work on them is under way",
            "`knowlog jobs dead` says why they were not renewed; their askers may `knowlog summaries renew` them.",
        )
    return ok(_PART, found)
