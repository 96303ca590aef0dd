"""Processes as Linux shows them in /proc."""

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
