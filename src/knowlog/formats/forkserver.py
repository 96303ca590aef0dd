"""The process that reads strangers' files: it imports the readers once and forks a child for every file.

A child sees one file, answers and dies, so nothing passes from file to file or from tenant to tenant. The
server itself never looks at a byte of a file. It is started as `python -I -m knowlog.formats.forkserver FD
MEMORY_BYTES TIMEOUT_S`, where FD is its end of the control socket. `wire` says what is spoken there.
"""

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass
from importlib import import_module

from knowlog.formats import wire
from knowlog.formats.confine import Allowance, confine_for_good, confine_for_one_file
from knowlog.formats.kinds import detect
from knowlog.formats.model import Extracted
from knowlog.formats.registry import READERS, read
from knowlog.kernel.errors import KnowlogError, ParseFailed


@dataclass(slots=True)
class _Child:
    """A process that reads one file: for which job, until when, and whether it was ended for that."""

    job: int
    deadline: float
    late: bool = False


class ForkServer:
    """Forks, watches the clock of each child, and tells how each one ended."""

    def __init__(self, control: socket.socket, allowance: Allowance) -> None:
        self._control = control
        self._allowance = allowance
        self._children: dict[int, _Child] = {}

    def run(self) -> None:
        """Serve until the other end of the control socket closes; then end every child."""
        wakeup, waker = socket.socketpair()
        waker.setblocking(False)
        wakeup.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(wakeup, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select(self._next_deadline_s())]
                if wakeup in ready:
                    wakeup.recv(4096)
                if self._control in ready and not self._accept():
                    break
                self._end_the_late()
                self._reap()
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _accept(self) -> bool:
        """Take one message: a job, or without a descriptor the word that a job is not wanted any more."""
        message, descriptors, _, _ = socket.recv_fds(self._control, wire.JOB.size, 1)
        if len(message) < wire.JOB.size:
            return False
        if not descriptors:
            self._end_job(wire.JOB.unpack(message)[0])
            return True
        connection = socket.socket(fileno=descriptors[0])
        pid = os.fork()
        if pid == 0:
            self._become_a_child(connection)
        connection.close()
        deadline = time.monotonic() + self._allowance.timeout_s
        self._children[pid] = _Child(wire.JOB.unpack(message)[0], deadline)
        return True

    def _end_job(self, job: int) -> None:
        for pid, child in self._children.items():
            if child.job == job:
                os.kill(pid, signal.SIGKILL)

    def _become_a_child(self, connection: socket.socket) -> None:
        """Read the one file and exit; never returns."""
        try:
            signal.set_wakeup_fd(-1)
            self._control.close()
            confine_for_one_file(self._allowance)
            serve_one_file(connection)
        finally:
            os._exit(0)

    def _next_deadline_s(self) -> float | None:
        deadlines = [child.deadline for child in self._children.values() if not child.late]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _end_the_late(self) -> None:
        now = time.monotonic()
        for pid, child in self._children.items():
            if child.deadline <= now and not child.late:
                child.late = True
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            child = self._children.pop(pid)
            ending = wire.ENDING.pack(child.job, os.waitstatus_to_exitcode(status), child.late)
            with contextlib.suppress(OSError):  # nobody waits for it any more
                self._control.sendall(ending)


def serve_one_file(connection: socket.socket) -> None:
    """Read the request, read the file in it, and answer."""
    connection.setblocking(True)
    with connection.makefile("rb") as stream:
        header_bytes, content_bytes = wire.LENGTHS.unpack(stream.read(wire.LENGTHS.size))
        source, limits = wire.unpack_request(stream.read(header_bytes), stream.read(content_bytes))
    try:
        extracted: Extracted = read(source, detect(source), limits)
        head, blob = wire.pack_reply(extracted)
    except KnowlogError as error:
        head, blob = wire.pack_error(error)
    except MemoryError:
        os._exit(-signal.SIGABRT)
    except BaseException as error:  # Rust panics included: a failure of this file only
        head, blob = wire.pack_error(_unexpected(error))
    connection.sendall(head)
    connection.sendall(blob)


def _unexpected(error: BaseException) -> ParseFailed:
    reason = " ".join(f"{type(error).__name__} {error}".split())[:160]
    return ParseFailed(
        f"The file could not be read ({reason}); it is probably damaged."
        " Open it in the program that made it, save it again and upload the new file."
    )


def main() -> None:
    """Serve on the control socket and within the limits that the command line names."""
    control = socket.socket(fileno=int(sys.argv[1]))
    confine_for_good()
    for path in READERS.values():
        import_module(path.rpartition(".")[0])
    ForkServer(control, Allowance(int(sys.argv[2]), float(sys.argv[3]))).run()


if __name__ == "__main__":
    main()
