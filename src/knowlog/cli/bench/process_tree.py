"""Processes as Linux shows them in /proc."""

import os
from collections.abc import Iterator
from pathlib import Path

from knowlog.kernel.errors import Misconfigured


def require_proc() -> None:
    """Raise Misconfigured where there is no /proc."""
    if not Path("/proc/self/stat").exists():
        raise Misconfigured("What processes use is read from /proc, which is not here. Use Linux.")


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all that descends from it."""
    yield pid
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield from tree(int(child))


def pss_bytes(pid: int) -> int:
    """The proportional set size of a process: what it holds alone, and its share of the rest. 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def processor_s(pid: int) -> float:
    """Processor seconds of a process, and of the children that it has waited for. 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def unused_s() -> float:
    """Seconds that cores of this machine had nothing to do, since its start."""
    idle, waiting_for_disks = Path("/proc/stat").read_text().split(maxsplit=6)[4:6]
    return (int(idle) + int(waiting_for_disks)) / os.sysconf("SC_CLK_TCK")
