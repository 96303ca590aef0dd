"""Workers of this machine that have died: their leases end at once, instead of running out."""

import os
import socket
from pathlib import Path

from knowlog.bus import end_leases, working
from knowlog.database import Database
from knowlog.kernel import new_id


def _place() -> str:
    """This machine and its numbering of processes: in two containers the same number means two processes."""
    try:
        numbering = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        numbering = 0
    return f"{socket.gethostname()}-{numbering}"


_HERE = _place()


def new_name() -> str:
    """A name for a worker: where it runs, the number of its process, and what no other worker ever has."""
    return f"{_HERE}-{os.getpid()}-{new_id().hex[-8:]}"


async def end_leases_of_dead(database: Database, living: str) -> int:
    """End the leases of workers whose process on this machine is gone. `living` is the caller's own name.

    Returns how many events are free again. A wrong guess does no harm: a worker without its lease cannot commit.
    """
    dead = [name for name in await working(database) if name != living and _is_dead(name)]
    return await end_leases(database, dead) if dead else 0


def _is_dead(name: str) -> bool:
    here, _, rest = name.rpartition("-")[0].rpartition("-")
    if here != _HERE or not rest.isdigit():
        return False
    return not Path(f"/proc/{rest}").exists() if Path("/proc/self").exists() else False
