"""Where a `knowlog up` that this user runs on this machine keeps its data, for commands in any folder."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from knowlog.cli.credentials import write_private
from knowlog.kernel.errors import Misconfigured
from knowlog.settings import Local, Settings

Known = TypeVar("Known", Local, Settings)
_LONGEST_NOTE = 10_000


def here(settings: Known) -> Known:
    """The settings with the data directory of the server that runs, unless the environment or this folder names one."""
    if settings.origins.get("data_dir") is not None:
        return settings
    found = running_data_dir()
    if found is None or found == settings.data_dir:
        return settings
    return replace(settings, data_dir=found, origins={**settings.origins, "data_dir": "running server"})


@contextmanager
def noted(data_dir: Path) -> Iterator[None]:
    """Note the data directory of a server while it runs. Of several, the one started last is found."""
    note = _note()
    _write(note, [*_others(note, data_dir), data_dir])
    try:
        yield
    finally:
        _write(note, _others(note, data_dir))


def running_data_dir() -> Path | None:
    """The data directory of a server of this user that runs now; None where there is none."""
    return next((each for each in reversed(_read(_note())) if is_up(each)), None)


def is_up(data_dir: Path) -> bool:
    """Whether a `knowlog up` holds this data directory, ready or not."""
    try:
        with (data_dir / "up.lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def _note() -> Path:
    base = os.environ.get("XDG_STATE_HOME", "")
    folder = Path(base) if base.startswith("/") else Path("~/.local/state").expanduser()
    return folder / "knowlog" / "running"


def _others(note: Path, data_dir: Path) -> list[Path]:
    """What is noted of other servers that still run."""
    return [each for each in _read(note) if each != data_dir and is_up(each)]


def _write(note: Path, data_dirs: list[Path]) -> None:
    if not data_dirs:
        note.unlink(missing_ok=True)
        return
    with suppress(Misconfigured):  # it runs all the same; commands then need its folder or KNOWLOG_DATA_DIR
        write_private(note, "".join(f"{each}\n" for each in data_dirs))


def _read(note: Path) -> list[Path]:
    """What the note says, the server started last at the end, if this user alone may have written it."""
    try:
        opened = os.open(note, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    with os.fdopen(opened, "rb") as file:
        status = os.fstat(opened)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return []
        lines = file.read(_LONGEST_NOTE).splitlines()
    return [path for path in map(Path, map(os.fsdecode, lines)) if path.is_absolute()]
