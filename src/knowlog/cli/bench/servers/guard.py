"""Run a program that must not outlive whoever asked for it: `python guard.py USER LOG PROGRAM ARGUMENT...`.

A file of its own, run by path and free of imports from knowlog, so that it starts at once. The asker holds the other
end of standard input: when that closes, because the asker closed it or has died in whatever way, the program and all
that it started are killed. When the guard itself is killed, the kernel kills the program.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

_PR_SET_PDEATHSIG = 1


def main(user: str, log: str, *program: str) -> int:
    """Run the program as `user` ("" is whoever runs this); return its exit code."""
    with Path(log).open("ab") as output:
        child = subprocess.Popen(
            program, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            user=user or None, group=user or None, extra_groups=[] if user else None, preexec_fn=_die_with_parent,
        )  # fmt: skip

    def pass_on(number: int, _: FrameType | None) -> None:
        child.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_kill_at_end_of_input, args=(child.pid,), daemon=True).start()
    code = child.wait()
    _kill_group(child.pid)
    return code


def _kill_at_end_of_input(group: int) -> None:
    select.select([sys.stdin], [], [])
    _kill_group(group)


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
