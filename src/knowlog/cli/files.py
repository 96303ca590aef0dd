"""Finding the files that a person means."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to ingest. `external_id` is its identity in the collection."""

    path: Path
    external_id: str


def find_files(given: Sequence[str], relative_to: Path | None = None) -> list[SourceFile]:
    """Expand folders and patterns: each file once, in order of name.

    Of a folder, hidden files and links that lead out of it are left out. A file's external id is its absolute
    path, or its path below `relative_to`. Raises BadParameter for what is not there, for an empty folder, and
    for a file outside `relative_to`.
    """
    paths = dict.fromkeys(path.resolve() for each in given for path in _expand(each))
    base = relative_to.resolve() if relative_to else None
    return [SourceFile(path, _external_id(path, base)) for path in paths]


def _expand(given: str) -> list[Path]:
    path = Path(given).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(
            each
            for each in path.rglob("*")
            if each.is_file() and not _hidden(each.relative_to(path)) and _inside(each, path)
        )
    else:
        matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - pathlib has no absolute patterns
        found = [each for each in map(Path, matches) if each.is_file()]
        if not matches:
            raise typer.BadParameter(
                f"{given} is not there. Give a file, a folder or a pattern such as 'docs/**/*.pdf'."
            )
    if not found:
        raise typer.BadParameter(f"There is no file in {given}.")
    return found


def _inside(path: Path, folder: Path) -> bool:
    """Whether a file really lies in the folder: a link in it must not bring in what lies elsewhere."""
    return path.resolve().is_relative_to(folder.resolve())


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _external_id(path: Path, base: Path | None) -> str:
    if base is None:
        return path.as_posix()
    if not path.is_relative_to(base):
        raise typer.BadParameter(f"{path} is not below {base}. Check --relative-to.")
    return path.relative_to(base).as_posix()
