"""`knowlog config`: every setting."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from knowlog.cli.options import AsJson
from knowlog.cli.output import emit, show, table
from knowlog.cli.running import here
from knowlog.settings import describe, load_settings

Changed = Annotated[bool, typer.Option("--changed", help="Only what is not at its default.")]


def config(changed: Changed = False, as_json: AsJson = False) -> None:
    """Print every setting: its name, value (secrets masked), where the value comes from, and its meaning."""
    rows = [asdict(each) for each in describe(here(load_settings()))]
    emit([row for row in rows if not changed or row["source"] != "default"], as_json, _render)


def _render(rows: list[dict[str, Any]]) -> None:
    columns = ("Setting", "Value", "From", "Meaning")
    show(table(columns, ([row["name"], row["value"], row["source"], row["meaning"]] for row in rows)))
