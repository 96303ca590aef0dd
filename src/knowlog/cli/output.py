"""How commands speak: values on stdout, as text or as JSON; sentences and progress on stderr."""

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_PIPE_WIDTH = 200  # where nobody looks at it, lines need not be broken


def _console(stream: TextIO, *, stderr: bool) -> Console:
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=width, emoji=False)


out = _console(sys.stdout, stderr=False)
err = _console(sys.stderr, stderr=True)


def emit(value: Any, as_json: bool, render: Callable[[Any], None]) -> None:
    """Print a value: as one line of JSON, or as `render` shows it to a person."""
    if as_json:
        print_json(value)
    else:
        render(printable(value))


def printable(value: Any) -> Any:
    """The value with control characters made visible: what a document holds must not steer the terminal."""
    if isinstance(value, str):
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {key: printable(each) for key, each in value.items()}
    return [printable(each) for each in value] if isinstance(value, list) else value


def print_json(value: Any) -> None:
    """Print one JSON value on a line of its own, at once."""
    sys.stdout.write(orjson.dumps(value, default=str).decode() + "\n")
    sys.stdout.flush()


def say(sentence: str) -> None:
    """Tell a person something, on stderr."""
    err.print(sentence, markup=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> Table:
    """Build a table. A column whose name starts with ">" is set to the right."""
    grid = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        right = column.startswith(">")
        grid.add_column(column.lstrip(">"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(_cell(value) for value in row))
    return grid


def progress(as_json: bool = False) -> Progress:
    """Build a progress bar on stderr; silent where nobody looks at it."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=err,
        disable=as_json or not err.is_terminal,
        transient=False,
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value).replace("[", "\\[")
