"""Reading data files so that a damaged one is named, with its line."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import orjson

from knowlog.kernel.errors import Misconfigured

Shape = TypeVar("Shape")


def require(path: Path, what: str) -> Path:
    """Return the path. Raises Misconfigured when it is absent."""
    if not path.exists():
        raise Misconfigured(f"{path} is missing: {what}. Check --data.")
    return path


def json_lines(path: Path) -> Iterator[Any]:
    """Yield each line's value. Raises Misconfigured naming the line that is not JSON."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield orjson.loads(line)
                except ValueError as error:
                    raise Misconfigured(f"{path}, line {number}, is not JSON: {error}.") from error


def shaped(path: Path, form: str, build: Callable[[], Shape]) -> Shape:
    """Call `build`. Raises Misconfigured when what the file holds does not have the form it should."""
    try:
        return build()
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise Misconfigured(
            f"{path} does not have the form {form} ({type(error).__name__}: {error})."
        ) from error
