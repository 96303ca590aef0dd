"""Takes away from this process what reading a file does not need. What the platform cannot take away stays.

Memory, processor time, file size, open files and core dumps are limited everywhere (POSIX). On Linux the
process also loses the network, new privileges, new processes, and every file but the system's and Python's own.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass

from knowlog.formats.landlock import read_nothing_but_code
from knowlog.formats.seccomp import refuse_calls

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38


@dataclass(frozen=True, slots=True)
class Allowance:
    """What reading one file may cost."""

    memory_bytes: int
    timeout_s: float


def confine_for_good() -> None:
    """Limit the process for its life: no network, no new privileges, no core dump, low priority.

    Called while the process has one thread, for the kernel gives a new user namespace to no other.
    """
    with contextlib.suppress(OSError):
        os.nice(5)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, 256)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
            libc.unshare(_CLONE_NEWNET)


def confine_for_one_file(allowance: Allowance) -> None:
    """Limit the process for the one file that it reads; the kernel ends it when its time is up."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, allowance.timeout_s + 1)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    used_s = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    _limit(resource.RLIMIT_CPU, used_s + int(allowance.timeout_s) + 2)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_AS, allowance.memory_bytes)
    if sys.platform == "linux":
        read_nothing_but_code()
        refuse_calls()


def _limit(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(which, (allowed, allowed))
