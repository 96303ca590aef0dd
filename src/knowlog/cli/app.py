"""The commands, put together."""

import sys

import typer

from knowlog import __version__
from knowlog.cli import collections, documents, keys, tenants
from knowlog.cli.ask import ask
from knowlog.cli.bench import bench
from knowlog.cli.config import config
from knowlog.cli.demo import demo
from knowlog.cli.doctor import doctor
from knowlog.cli.ingest import ingest
from knowlog.cli.interruptible import Interrupted
from knowlog.cli.output import out, say
from knowlog.cli.search import search
from knowlog.cli.serve import serve
from knowlog.cli.up import up
from knowlog.cli.worker import worker
from knowlog.kernel.errors import KnowlogError, Misconfigured

app = typer.Typer(
    name="knowlog",
    help="Documents in; answers with checkable citations out. Begin with `knowlog up`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
for command, panel in (
    (up, "Run"), (demo, "Run"), (serve, "Run"), (worker, "Run"),
    (ingest, "Use"), (search, "Use"), (ask, "Use"),
    (doctor, "Look after"), (config, "Look after"),
):  # fmt: skip
    app.command(rich_help_panel=panel)(command)
for group, name, panel in (
    (documents.app, "documents", "Use"),
    (collections.app, "collections", "Use"),
    (keys.app, "keys", "Look after"),
    (tenants.app, "tenants", "Look after"),
    (bench, "bench", "Measure"),
):
    app.add_typer(group, name=name, rich_help_panel=panel)


@app.callback(invoke_without_command=True)
def knowlog(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    """Documents in; answers with checkable citations out. Begin with `knowlog up`."""
    if version:
        out.print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line. Exit code 0: done; 1: it failed; 2: usage or configuration is wrong."""
    try:
        app()
    except Interrupted:
        say("Stopped.")
        sys.exit(1)
    except KnowlogError as error:
        say(f"Error: {error.detail}")
        sys.exit(2 if isinstance(error, Misconfigured) else 1)
