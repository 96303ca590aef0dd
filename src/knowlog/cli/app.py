"""The commands, put together."""

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from knowlog import __version__
from knowlog.cli import (
    access,
    audit,
    collections,
    datasets,
    documents,
    domains,
    evaluation,
    events,
    feedback,
    groups,
    jobs,
    keys,
    language_model,
    members,
    origins,
    schedules,
    secrets,
    sessions,
    sign_on,
    sources,
    summaries,
    tenants,
    threads,
    tunings,
    uploads,
    webhooks,
)
from knowlog.cli.ask import ask
from knowlog.cli.chunk import chunk
from knowlog.cli.config import config
from knowlog.cli.demo import demo
from knowlog.cli.doctor import doctor
from knowlog.cli.failing import run_to_the_end
from knowlog.cli.ingest import ingest
from knowlog.cli.output import out
from knowlog.cli.performance import performance
from knowlog.cli.search import search
from knowlog.cli.serve import serve
from knowlog.cli.summarize import summarize
from knowlog.cli.tune import tune
from knowlog.cli.up import up
from knowlog.cli.usage import usage
from knowlog.cli.worker import worker


class _Benchmarks(TyperGroup):
    """The commands of `knowlog.cli.bench`, loaded when one is asked for: they bring every room of the house."""

    def list_commands(self, ctx: Any) -> list[str]:
        names: list[str] = self._loaded().list_commands(ctx)
        return names

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return self._loaded().get_command(ctx, cmd_name)

    def _loaded(self) -> Any:
        from knowlog.cli.bench import bench

        return typer.main.get_command(bench)


bench = typer.Typer(
    cls=_Benchmarks,
    help="Benchmarks. Each prints a table; --json FILE also writes the figures, the machine and the commit.",
    no_args_is_help=True,
)
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
    (ingest, "Use"), (search, "Use"), (ask, "Use"), (summarize, "Use"), (chunk, "Use"),
    (tune, "Measure"), (doctor, "Look after"), (usage, "Look after"), (performance, "Look after"), (config, "Look after"),
):  # fmt: skip
    app.command(rich_help_panel=panel)(command)
for group, name, panel in (
    (documents.app, "documents", "Use"),
    (collections.app, "collections", "Use"),
    (uploads.app, "uploads", "Use"),
    (threads.app, "threads", "Use"),
    (feedback.app, "feedback", "Use"),
    (summaries.app, "summaries", "Use"),
    (events.app, "events", "Use"),
    (jobs.app, "jobs", "Look after"),
    (schedules.app, "schedules", "Look after"),
    (webhooks.app, "webhooks", "Look after"),
    (sources.app, "sources", "Look after"),
    (access.app, "access", "Look after"),
    (sessions.app, "sessions", "Use"),
    (members.app, "members", "Look after"),
    (groups.app, "groups", "Look after"),
    (sign_on.app, "sign-on", "Look after"),
    (keys.app, "keys", "Look after"),
    (domains.app, "domains", "Look after"),
    (origins.app, "origins", "Look after"),
    (audit.app, "audit", "Look after"),
    (secrets.app, "secrets", "Look after"),
    (language_model.app, "language-model", "Look after"),
    (tenants.app, "tenants", "Look after"),
    (datasets.app, "datasets", "Measure"),
    (evaluation.app, "eval", "Measure"),
    (tunings.app, "tunings", "Measure"),
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
    """Run the command line. Exit code 0: done; 1: it failed; 2: usage or configuration is wrong; 130: Ctrl-C."""
    sys.exit(run_to_the_end(typer.main.get_command(app), sys.argv[1:]))
