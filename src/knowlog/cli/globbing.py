"""What matches a pattern such as `docs/**/*.pdf`: as the module glob has it, but `**` passes through no link to a folder.

So it ends also where folders hold links to themselves or to each other.
"""

import fnmatch
import glob
import os
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path

_ANY_DEPTH = "**"


def begin_of(pattern: Path) -> Path:
    """The folder in which a pattern looks: what stands before its first part with `*`, `?` or `[`."""
    return Path(*takewhile(lambda part: not glob.has_magic(part), pattern.parts))


def matching(
    pattern: Path, passed_by: Callable[[Path], object], unreadable: Callable[[OSError], None]
) -> list[Path]:
    """What there is of a pattern, in order of name. Links to folders that `**` meets are told, and unreadable folders."""

    def failed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            unreadable(error)

    begin = begin_of(pattern)
    parts = list(pattern.parts[len(begin.parts) :])
    if parts[-1:] == [_ANY_DEPTH]:
        parts.append("*")
    found = {begin: None} if os.path.lexists(begin) else {}
    for at, part in enumerate(parts):
        if part != _ANY_DEPTH:
            found = dict.fromkeys(each for folder in found for each in _in(folder, part, failed))
        elif parts[at + 1] != _ANY_DEPTH:  # twice is no more than once
            found = dict.fromkeys(each for folder in found for each in _below(folder, passed_by, failed))
    return sorted(found)


def _in(folder: Path, part: str, failed: Callable[[OSError], None]) -> list[Path]:
    """What in a folder matches one part of a pattern: nothing hidden, unless the part begins with a dot."""
    if not glob.has_magic(part):
        return [folder / part] if os.path.lexists(folder / part) else []
    try:
        names = fnmatch.filter([each.name for each in folder.iterdir()], part)
    except OSError as error:
        failed(error)
        return []
    return [folder / name for name in names if part.startswith(".") or not name.startswith(".")]


def _below(
    folder: Path, passed_by: Callable[[Path], object], failed: Callable[[OSError], None]
) -> Iterator[Path]:
    """A folder, and those in it at any depth, without the hidden."""
    for place, folders, _ in os.walk(folder, onerror=failed):
        yield Path(place)
        seen = [Path(place, each) for each in sorted(folders) if not each.startswith(".")]
        folders[:] = [each.name for each in seen if not each.is_symlink()]
        for each in seen:
            if each.is_symlink():
                passed_by(each)
