"""What a measurement was made on, and of which code."""

import os
import platform
import subprocess
from pathlib import Path

from knowlog import __version__


def machine() -> dict[str, object]:
    """Describe the machine: cpu, cores that this process may use, memory, python, platform."""
    return {
        "cpu": _cpu(),
        "cores": cores(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def commit() -> str:
    """The git commit that the code is from, marked when it was changed since; else the version."""
    folder = Path(__file__).parent
    revision = _git(folder, "rev-parse", "HEAD")
    if not revision or not _git(folder, "ls-files", Path(__file__).name):
        return f"knowlog {__version__}"
    return revision + ("-changed" if _git(folder, "status", "--porcelain", "--", "../../..") else "")


def cores() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607  # nosec B607
            cwd=folder, capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
