"""Finding the files that a person means."""

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import typer

from knowlog.cli.globbing import begin_of, matching
from knowlog.kernel.errors import Misconfigured

_SURROGATES = range(0xDC80, 0xDD00)  # how Python holds the bytes of a name that is not UTF-8
_OUTSIDE = "a link that leads out of the folder"
_TO_FOLDER = "a link to a folder"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to ingest. `external_id` is its identity in the collection."""

    path: Path
    external_id: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What is not ingested, and why."""

    path: str
    reason: str


@dataclass(slots=True)
class Found:
    """The files to ingest; what is skipped on purpose; and what could not be taken, which is a failure."""

    files: list[SourceFile] = field(default_factory=list)
    skipped: list[LeftOut] = field(default_factory=list)
    failed: list[LeftOut] = field(default_factory=list)


def find_files(given: Sequence[str], relative_to: Path | None = None) -> Found:
    """Expand folders and patterns: each file once, in order of name.

    Of a folder, what is hidden, links that lead out of it, links to folders, and what is no regular file are skipped; of
    a pattern, what a link has outside the folder in which the pattern begins, links to folders that `**` meets, and what
    is no regular file.
    A file's external id is its absolute path, or its path below `relative_to`. Raises BadParameter for what is not
    there, for a folder without a file, and for a file outside `relative_to`.
    """
    found = Found()
    expanded = [path for each in given for path in _expand(each, found)]
    paths = dict.fromkeys(Path(os.path.realpath(path)) for path in expanded)
    base = relative_to.resolve() if relative_to else None
    taken: dict[str, Path] = {}
    for path in paths:
        name = _external_id(path, base)
        if name in taken:
            found.failed.append(LeftOut(name, "Another file's name reads the same. Rename one of them."))
        else:
            taken[name] = path
    found.files = [SourceFile(path, name) for name, path in taken.items()]
    return found


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading. Raises OSError, also for what has become a pipe or a device, which could wait for ever."""
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OSError(0, "it is no regular file")
    return os.fdopen(opened, "rb")


def write_page(html: Path, content: str) -> None:
    """Write what --html asked for. Raises Misconfigured when that cannot be."""
    try:
        html.write_text(content, "utf-8")
    except OSError as error:
        raise Misconfigured(f"{html} cannot be written: {error.strerror}. Check --html.") from error


def readable(path: str | Path) -> str:
    """A path as text. In one that is not UTF-8, odd bytes are written %FF, and a percent sign %25."""
    text = os.fsencode(path).decode("utf-8", "surrogateescape")
    if not any(ord(each) in _SURROGATES for each in text):
        return text
    return "".join(
        f"%{ord(each) - 0xDC00:02X}" if ord(each) in _SURROGATES else each
        for each in text.replace("%", "%25")
    )


def _expand(given: str, found: Found) -> list[Path]:
    if not given:  # a variable that is not set, more likely than the folder that Path("") stands for
        raise typer.BadParameter("A path is empty. Give a file, a folder (. is this one) or a pattern.")
    path = Path(given).expanduser()
    if _kind(path) == "file":
        return [path]
    if _kind(path) == "folder":
        return _in_folder(path, found)
    told_before, passed_by = len(found.failed), dict[Path, None]()
    matches = matching(path, passed_by.setdefault, _tell_unreadable(found))
    found.skipped += [LeftOut(readable(each), _TO_FOLDER) for each in passed_by]
    if not (matches or passed_by) and len(found.failed) == told_before:
        raise typer.BadParameter(
            f"{readable(given)} is not there. Give a file, a folder or a pattern such as 'docs/**/*.pdf'."
        )
    return _some(_matching(matches, begin_of(path), found), given, found)


def _matching(matches: Sequence[Path], folder: Path, found: Found) -> list[Path]:
    """The files among them; as of a folder, none to which a link leads out of it, in whatever part of the path."""
    files = []
    for path in matches:
        kind = _kind(path)
        if kind == "other":
            found.skipped.append(LeftOut(readable(path), "no regular file"))
        elif kind == "file" and _leads_out(path, folder):
            found.skipped.append(LeftOut(readable(path), _OUTSIDE))
        elif kind == "file":
            files.append(path)
    return files


def _in_folder(folder: Path, found: Found) -> list[Path]:
    files = []
    for place, folders, names in os.walk(folder, onerror=_tell_unreadable(found)):
        for name in [*folders, *names]:
            path = Path(place, name)
            reason = _left_out(path, folder)
            if reason is not None:
                found.skipped.append(LeftOut(readable(path), reason))
            elif name in names:
                files.append(path)
        folders[:] = [each for each in folders if _left_out(Path(place, each), folder) is None]
    return _some(sorted(files), str(folder), found)


def _tell_unreadable(found: Found) -> Callable[[OSError], None]:
    return lambda error: found.failed.append(
        LeftOut(readable(error.filename), f"It cannot be read: {error.strerror}.")
    )


def _some(files: list[Path], given: str, found: Found) -> list[Path]:
    if not files and not found.failed:
        skipped = f"; skipped is {found.skipped[0].path} ({found.skipped[0].reason})" if found.skipped else ""
        raise typer.BadParameter(f"There is no file in {readable(given)}{skipped}.")
    return files


def _left_out(path: Path, folder: Path) -> str | None:
    """Why something in a folder is not taken; None for a file, or a folder to look into."""
    if path.name.startswith("."):
        return "hidden"
    kind = _kind(path)
    if path.is_symlink():
        if kind in ("absent", "folder"):
            return _TO_FOLDER if kind == "folder" else "a link that leads nowhere"
        if _leads_out(path, folder):
            return _OUTSIDE
    return "no regular file" if kind == "other" else None


def _leads_out(path: Path, folder: Path) -> bool:
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _kind(path: Path) -> str:
    """What is there, links followed: "file", "folder", "other" (a pipe, a socket, a device) or "absent"."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return "absent"
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"


def _external_id(path: Path, base: Path | None) -> str:
    if base is None:
        return readable(path)
    if not path.is_relative_to(base):
        raise typer.BadParameter(f"{readable(path)} is not below {readable(base)}. Check --relative-to.")
    return readable(path.relative_to(base))
