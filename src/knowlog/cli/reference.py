"""The reference of the command line, made from its help: `python -m knowlog.cli.reference`."""

from collections.abc import Iterator
from typing import Any

import typer

from knowlog.cli.app import app

_HEAD = """# The command line

Made from the commands' own help by `python -m knowlog.cli.reference > docs/cli.md`; a test fails when it is
not current.

Every command is an HTTP client of a running server, but for `up`, `demo`, `serve` and `worker`, which run one,
and `doctor` and `config`, which look at this machine. Values go to stdout, sentences and progress
to stderr; where a stream is no terminal, nothing in it is wrapped or coloured. `--json` prints one JSON value to stdout,
and what goes wrong as a problem document (`code`, `detail`) to stderr. Exit code 0 means done, 1 that it failed, 2 that
usage or configuration is wrong, 130 that Ctrl-C stopped it.

A data directory has one tenant that commands use by themselves, `up` and `demo` alike; the demo's documents are its
collection `examples`. `up` says which tenant it is; `--key` or `KNOWLOG_KEY` chooses another. Commands take the data
directory from `KNOWLOG_DATA_DIR`, else `.knowlog` in the current folder where it is this user's, else the one of the
`knowlog up` that this user runs (found by a note in `$XDG_STATE_HOME/knowlog`, by default `~/.local/state/knowlog`,
which is there as long as it runs), else `~/.local/share/knowlog`; `knowlog config` shows which. A list that goes on
behind the last row says so, with `--json` by a `next_cursor` that is not null.
"""


def reference() -> str:
    """Return the whole reference."""
    root = typer.main.get_command(app)
    return "\n".join([_HEAD, *_commands(root, ("knowlog",))])


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    if len(path) > 1:
        yield from _described(command, path)
    for name in command.list_commands(None) if hasattr(command, "list_commands") else ():
        yield from _commands(command.get_command(None, name), (*path, name))


def _described(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and each.name != "help"]
    usage = " ".join((*path, *(_placeholder(each) for each in arguments)))
    yield f"{'#' * len(path)} `{usage}`\n"
    yield f"{_paragraphs(command.help or '')}\n"
    rows = [(f"`{each.name.upper()}`", each.help or "") for each in arguments]
    rows += [(_names(each), _meaning(each)) for each in options]
    if rows:
        yield "| | |\n|---|---|"
        yield "".join(f"| {name} | {meaning} |\n" for name, meaning in rows)


def _placeholder(argument: Any) -> str:
    return f"{argument.name.upper()}..." if argument.nargs == -1 else str(argument.name.upper())


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _names(option: Any) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _meaning(option: Any) -> str:
    text = (option.help or "").replace("|", "\\|")
    default = option.default
    if default in (None, False) or callable(default) or "[default" in text:
        return text
    return f"{text} Default: `{default}`."


if __name__ == "__main__":
    typer.echo(reference(), nl=False)
