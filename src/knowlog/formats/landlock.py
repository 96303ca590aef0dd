"""Landlock (Linux 5.13 and later): files, TCP ports and other processes out of reach, without any privilege.

Structures and constants are those of linux/landlock.h. A kernel without Landlock, or with an older one,
gives less.
"""

import ctypes
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_GET_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_FILE_RIGHTS_BY_VERSION = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_BIND_AND_CONNECT_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11
_PACKAGES = ("stdlib", "platstdlib", "purelib", "platlib")
_SYSTEM = ("/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/lib", "/lib64", "/dev/null", "/dev/urandom")


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("directory", ctypes.c_int32))


def read_nothing_but_code() -> bool:
    """Let this process read Python's and the system's libraries, write nothing, connect and signal nowhere.

    Returns False where the kernel cannot do so. Needs PR_SET_NO_NEW_PRIVS.
    """
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    version = syscall(_CREATE_RULESET, None, 0, _GET_VERSION)
    if version < 1:
        return False
    rules = _Ruleset(
        (1 << _FILE_RIGHTS_BY_VERSION.get(version, 16)) - 1,
        _BIND_AND_CONNECT_TCP if version >= 4 else 0,
        _ABSTRACT_SOCKETS_AND_SIGNALS if version >= 6 else 0,
    )
    ruleset = syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    if ruleset < 0:
        return False
    for path in _readable():
        _allow(syscall, ruleset, path)
    restricted: bool = syscall(_RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return restricted


def _readable() -> Iterator[str]:
    """Yield what an import may touch: the system's libraries and the folders of Python packages."""
    yield from _SYSTEM
    paths = sysconfig.get_paths()
    yield from {*(paths[name] for name in _PACKAGES), *sys.path} - {""}


def _allow(syscall: "ctypes._NamedFuncPointer", ruleset: int, path: str) -> None:
    try:
        directory = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    rights = _EXECUTE | _READ_FILE | (_READ_DIR if Path(path).is_dir() else 0)
    rule = _PathRule(rights, directory)
    syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    os.close(directory)
