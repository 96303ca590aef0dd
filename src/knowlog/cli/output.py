"""How commands speak: values on stdout, as text or as JSON; sentences and progress on stderr.

Where a stream is no terminal, nothing is wrapped, cut or coloured: what reads it there is a program.
"""

import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TextIO

import orjson
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BREAK = re.compile(r"[\t\n\u2028\u2029]")
_UNFOLDED = 40  # characters: an id, a moment, an interval
_PIPE_WIDTH, _PIPE_HEIGHT = 1_000_000, 100  # both, or Rich asks the environment, which may say 80 columns
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(Z|\+00:00)")


def _console(stream: TextIO, *, stderr: bool) -> Console:
    """What writes to a stream. Characters that its alphabet lacks are written escaped, rather than end the command."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    if stream.isatty():
        return Console(stderr=stderr, highlight=False, soft_wrap=True, emoji=False)
    return Console(
        stderr=stderr, highlight=False, soft_wrap=True, emoji=False, width=_PIPE_WIDTH, height=_PIPE_HEIGHT,
        no_color=True, force_terminal=False, color_system=None,
    )  # fmt: skip


out = _console(sys.stdout, stderr=False)
err = _console(sys.stderr, stderr=True)


def emit(value: Any, as_json: bool, render: Callable[[Any], None]) -> None:
    """Print a value: as one line of JSON, or as `render` shows it to a person."""
    if as_json:
        print_json(value)
    else:
        render(printable(value))


def emit_list(listed: dict[str, Any], as_json: bool, render: Callable[[Any], None]) -> None:
    """Print a list, and say so where it goes on: with --json, `next_cursor` is not null then."""
    emit(listed, as_json, render)
    if listed["next_cursor"] and not as_json:
        say(
            f"These are the first {len(listed['items']):,}; there are more: -n NUMBER shows as many as you want."
        )


def printable(value: Any) -> Any:
    """The value with control characters escaped: what a document holds must not steer the terminal."""
    if isinstance(value, str):
        return _CONTROL.sub(_escaped, value)
    if isinstance(value, dict):
        return {key: printable(each) for key, each in value.items()}
    return [printable(each) for each in value] if isinstance(value, list) else value


def one_line(text: str) -> str:
    """Text that must stay on its line, as a name in a row of a list: line breaks and tabs are escaped too."""
    return _BREAK.sub(_escaped, printable(text))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def print_json(value: Any) -> None:
    """Print one JSON value on a line of its own, at once."""
    sys.stdout.write(json_line(value, sys.stdout) + "\n")
    sys.stdout.flush()


def json_line(value: Any, stream: TextIO) -> str:
    """JSON on one line: as it is for a stream of UTF-8, else in ASCII, which every alphabet has."""
    line = orjson.dumps(value, default=str)
    in_utf8 = (stream.encoding or "utf-8").lower().replace("-", "") == "utf8"
    return line.decode() if in_utf8 else json.dumps(orjson.loads(line))


def say(sentence: str) -> None:
    """Tell a person something, on stderr."""
    err.print(sentence, markup=False)


def tell(sentence: str) -> None:
    """Tell a person who looks on what is going on; nothing where nobody does."""
    if err.is_terminal:
        err.print(sentence, markup=False, style="dim")


def show(printed: object) -> None:
    """Print a table or another shape on stdout, without blanks at the ends of its lines in a pipe.

    In a terminal too narrow for it, long text is folded and lines run on: an id can be copied whole.
    """
    if out.is_terminal:
        out.print(printed, width=_width(printed))
        return
    with out.capture() as captured:
        out.print(printed)
    for line in captured.get().removesuffix("\n").split("\n"):  # not splitlines: cells hold others
        out.print(line.rstrip(), markup=False)


def _width(printed: object) -> int:
    """That of the terminal, or more where a table would have to fold what is short."""
    if not isinstance(printed, Table):
        return out.width
    needed = out.measure(printed, options=out.options.update(width=_PIPE_WIDTH))
    return max(out.width, min(needed.maximum, needed.minimum + _UNFOLDED))


def show_fields(value: Mapping[str, Any]) -> None:
    """Print the members of a value, a line each, nested ones with dots; what is null or empty is left out."""
    rows = [(name, each) for name, each in _flat(value) if each not in (None, "", [])]
    width = max((len(name) for name, _ in rows), default=0)
    for name, each in rows:
        out.print(f"{name:<{width}}  {one_line(readable(each))}", markup=False)


def readable(value: object) -> str:
    """A value as a person reads it: moments without fractions, true as yes, lists with commas."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(readable, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {readable(each)}" for name, each in value.items())
    if isinstance(value, str) and (moment := _MOMENT.fullmatch(value)):
        return f"{moment[1]} {moment[2]} UTC"
    return f"{value:g}" if isinstance(value, float) else _cell(value)


def _flat(value: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    for name, each in value.items():
        label = f"{above}{name}"
        if isinstance(each, Mapping):
            yield from _flat(each, f"{label}.")
        else:
            yield label, each


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> Table:
    """Build a table. A column whose name starts with ">" is set to the right."""
    grid = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    cells = [[_in_table(value).replace("[", "\\[") for value in row] for row in rows]
    for number, column in enumerate(columns):
        widest = max((cell_len(row[number]) for row in cells), default=0)
        right = column.startswith(">")
        grid.add_column(
            column.lstrip(">"),
            justify="right" if right else "left",
            overflow="fold",
            min_width=widest if widest <= _UNFOLDED else None,
        )
    for row in cells:
        grid.add_row(*row)
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


def _in_table(value: object) -> str:
    return _cell(value) if value is None or isinstance(value, float) else one_line(readable(value))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)
