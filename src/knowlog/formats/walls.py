"""Tries the walls around a reader from inside: `python -I -m knowlog.formats.walls` prints which of them hold, as JSON.

It confines itself as the child that reads a file does, then does what a reader that was taken over would do.
"""

import contextlib
import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from knowlog.formats.confine import Allowance, confine_for_good, confine_for_one_file

_ALLOWANCE = Allowance(memory_bytes=2**31, timeout_s=30)


def network() -> None:
    """Reach a port of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.sendto(b"", ("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 9))


def files() -> None:
    """Read a file that is none of Python's."""
    Path("/etc/passwd").read_bytes()


def writing() -> None:
    """Write a file."""
    place = Path(tempfile.gettempdir(), f"knowlog-walls-{os.getpid()}")
    try:
        place.write_bytes(b"x")
    finally:
        place.unlink(missing_ok=True)


def processes() -> None:
    """Start another process."""
    if os.fork() == 0:
        os._exit(0)
    os.wait()


ATTACKS: tuple[Callable[[], None], ...] = (network, files, writing, processes)


def holds(attack: Callable[[], None]) -> bool:
    """Whether the attack is refused by the system."""
    try:
        attack()
    except OSError:
        return True
    return False


def main() -> None:
    """Confine, attack, tell."""
    with contextlib.suppress(OSError):
        tempfile.gettempdir()  # found by writing there: before it is forbidden
    confine_for_good()
    confine_for_one_file(_ALLOWANCE)
    sys.stdout.write(json.dumps({attack.__name__: holds(attack) for attack in ATTACKS}))


if __name__ == "__main__":
    main()
