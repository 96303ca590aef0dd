"""Reading data files so that a damaged one is named, with its line."""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import orjson

from knowlog.kernel.errors import Misconfigured

Shape = TypeVar("Shape")


def require(path: Path, what: str) -> Path:
    """Return the path. Raises Misconfigured when it is absent."""
    if not path.exists():
        raise Misconfigured(f"{path} is missing: {what}. Check the path (of a benchmark: --data).")
    return path


def read_text(path: Path) -> str:
    """Return a file's text. Raises Misconfigured when it cannot be read, or is not UTF-8."""
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise Misconfigured(
            f"{path} cannot be read: {error.strerror}. Check the path (of a benchmark: --data)."
        ) from error
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{path} is not UTF-8 (byte {error.start:,}). Convert it.") from error


def once(path: Path, pairs: Iterable[tuple[str, Shape]]) -> dict[str, Shape]:
    """Return what is known by each id. Raises Misconfigured when an id is there twice."""
    found: dict[str, Shape] = {}
    for key, value in pairs:
        if key in found:
            raise Misconfigured(f"{path} has the id {key!r:.100} twice. Give each line an id of its own.")
        found[key] = value
    return found


def json_lines(path: Path) -> Iterator[Any]:
    """Yield each line's value. Raises Misconfigured naming the line that is not JSON."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield orjson.loads(line.removeprefix(BOM_UTF8))
                except ValueError as error:
                    raise Misconfigured(
                        f"{path}, line {number}, is not JSON: {_wrong(line, error)}."
                    ) from error


def _wrong(line: bytes, error: ValueError) -> str:
    try:
        line.decode()
    except UnicodeDecodeError:
        return "it is no text in UTF-8. Unpack the file, or convert it"
    return f"{error}. Each line must be one JSON object"


def shaped(path: Path, form: str, build: Callable[[], Shape]) -> Shape:
    """Call `build`. Raises Misconfigured when what the file holds does not have the form it should."""
    try:
        return build()
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise Misconfigured(
            f"{path} does not have the form {form} ({type(error).__name__}: {error})."
        ) from error
