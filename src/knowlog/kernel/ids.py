"""Identifiers that sort by time of creation, so that B-trees grow at one end."""

import os
import threading
import time
from datetime import datetime
from uuid import UUID, uuid5

_lock = threading.Lock()
_last = 0
"""Milliseconds and counter of the newest identifier of this process, in 48 + 12 bits."""


def new_id() -> UUID:
    """Return a fresh UUID version 7 (RFC 9562, section 5.7): milliseconds, a counter, 62 random bits.

    Identifiers of one process ascend strictly: within a millisecond, or when the clock stands still or goes back, the
    counter goes on. In each new millisecond it begins anywhere in its lower half, so that it does not tell how many
    identifiers others got (section 6.2, method 1).
    """
    global _last
    begin = int.from_bytes(os.urandom(2), "big") & 0x7FF
    with _lock:
        present = time.time_ns() // 1_000_000
        _last = present << 12 | begin if present > _last >> 12 else _last + 1
        moment, counter = _last >> 12, _last & 0xFFF
    random = int.from_bytes(os.urandom(8), "big") & (1 << 62) - 1
    return UUID(int=moment << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | random)


def id_at(moment: datetime, name: UUID) -> UUID:
    """Return the UUID version 7 of what happens to `name` at a moment: always the same, sorted among the others."""
    rest = uuid5(name, moment.isoformat()).int & (1 << 74) - 1
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | rest >> 62 << 64 | 0b10 << 62 | rest & (1 << 62) - 1)
