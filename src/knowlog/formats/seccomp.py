"""A filter of system calls (seccomp, Linux 3.5 and later): no socket, no other process, no other program.

It holds where Landlock and namespaces are not to be had, and for what they do not cover: UDP, raw sockets, fork. What
is listed is refused with EPERM; a new thread is allowed, a new process is not. The numbers are those of
linux/unistd.h for the two processors on which servers run; elsewhere there is no filter.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Iterator
from typing import NamedTuple

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_CLONE_THREAD = 0x10000
_CLONE3 = (
    435  # asked with flags behind a pointer, which a filter cannot read: ENOSYS makes the C library use clone
)


class _Processor(NamedTuple):
    """What the filter must know of a processor: its mark, the number of clone, and those of what is refused."""

    mark: int
    clone: int
    refused: tuple[int, ...]
    foreign_from: int | None


_EVERYWHERE = (424, 425, 434, 438)  # pidfd_send_signal, io_uring_setup, pidfd_open, pidfd_getfd
_PROCESSORS = {
    "x86_64": _Processor(0xC000003E, 56, (
        41, 42, 43, 49, 50, 288,  # socket, connect, accept, bind, listen, accept4
        57, 58, 59, 322, 62, 101, 310, 311,  # fork, vfork, execve, execveat, kill, ptrace, process_vm_readv, _writev
        155, 161, 165, 166, 272, 308, 304,  # pivot_root, chroot, mount, umount2, unshare, setns, open_by_handle_at
        246, 169, 175, 313, 248, 249, 250,  # kexec_load, reboot, init_module, finit_module, add_key, request_key, keyctl
        321, 298, 323, 135, *_EVERYWHERE,  # bpf, perf_event_open, userfaultfd, personality
    ), 0x40000000),
    "aarch64": _Processor(0xC00000B7, 220, (
        198, 203, 202, 200, 201, 242, 221, 281, 129, 117, 270, 271, 41, 51, 40, 39, 97, 268, 265,
        104, 142, 105, 273, 217, 218, 219, 280, 241, 282, 92, *_EVERYWHERE,
    ), None),
}  # fmt: skip
"""Calls in the same order for both; aarch64 has neither fork nor vfork. x86_64 has a second set of numbers (x32)."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def refuse_calls() -> bool:
    """Refuse the listed calls to this process for good. False where that cannot be had. Needs PR_SET_NO_NEW_PRIVS."""
    processor = _PROCESSORS.get(platform.machine())
    if processor is None:
        return False
    code = b"".join(_instructions(processor))
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    set_to: int = libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0)
    return set_to == 0


def _instructions(processor: _Processor) -> Iterator[bytes]:
    """The filter as a program of classic BPF."""
    refuse = _line(_RETURN, _ERRNO | errno.EPERM)
    yield _line(_LOAD, _ARCHITECTURE_AT)
    yield _line(_IF_EQUAL, processor.mark, then=1)
    yield _line(_RETURN, _KILL)
    yield _line(_LOAD, _NUMBER_AT)
    if processor.foreign_from is not None:
        yield _line(_IF_AT_LEAST, processor.foreign_from, otherwise=1)
        yield refuse
    for number in processor.refused:
        yield _line(_IF_EQUAL, number, otherwise=1)
        yield refuse
    yield _line(_IF_EQUAL, _CLONE3, otherwise=1)
    yield _line(_RETURN, _ERRNO | errno.ENOSYS)
    yield _line(_IF_EQUAL, processor.clone, otherwise=3)
    yield _line(_LOAD, _FIRST_ARGUMENT_AT)
    yield _line(_IF_ANY_BIT, _CLONE_THREAD, then=1)
    yield refuse
    yield _line(_RETURN, _ALLOW)


def _line(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """One instruction; `then` and `otherwise` are how many of those that follow a jump leaves out."""
    return struct.pack("=HBBI", code, then, otherwise, value)
