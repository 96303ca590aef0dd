"""A worker that has grown too large ends itself, before the machine ends somebody else."""

import asyncio
import logging
import os
from pathlib import Path

_LOG = logging.getLogger("knowlog.worker")
_LOOK_EVERY_S = 1.0
_STATM = Path("/proc/self/statm")
_WATCHABLE = _STATM.exists()
"""Elsewhere than on Linux nothing is watched."""


async def end_when_too_large(most_mb: int) -> None:
    """Watch this process's resident memory. Beyond `most_mb` the process ends at once, without handing anything back:
    the leases run out, each attempt counts, and what ends its worker again and again fails in the end.
    """
    while _WATCHABLE:
        await asyncio.sleep(_LOOK_EVERY_S)
        resident_mb = resident_bytes() // 2**20
        if resident_mb > most_mb:
            _LOG.error(
                "the worker uses %d MB, more than KNOWLOG_WORKER_MEMORY_MB=%d; it ends", resident_mb, most_mb
            )
            logging.shutdown()
            os._exit(70)


def resident_bytes() -> int:
    """This process's resident memory."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
