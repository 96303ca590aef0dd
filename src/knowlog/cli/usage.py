"""`knowlog usage`, and how limits are written and shown."""

from typing import Annotated, Any

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Url
from knowlog.cli.output import emit, show, table

Days = Annotated[int, typer.Option("--days", min=1, max=366, help="So many days back, today included.")]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="A limit, as requests_per_minute=600, documents=none or stored_bytes=default; may be given more than once."
        " The others stay.",
    ),
]


def usage(days: Days = 7, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show what the tenant uses: of each limit now, and on each of the last days."""
    with connect(url, key) as client:
        emit(client.get("/v1/usage", days=days), as_json, render)


def render(value: dict[str, Any]) -> None:
    """Print limits with what is used of them, and days where there are any."""
    columns = ("Limit", ">Used", ">Of", "Begins anew")
    rows = (
        [each["limit"], _number(each["used"]), _number(each["most"]), each["resets_at"]]
        for each in value["limits"]
    )
    show(table(columns, rows))
    if value.get("days"):
        rows = ([each["day"], each["counted"], _number(each["amount"])] for each in value["days"])
        show(table(("Day", "Used", ">Amount"), rows))


def changed(present: list[dict[str, Any]], changes: list[str]) -> dict[str, int | None]:
    """The limits to be set: those that were set before, and the changes. Raises typer.BadParameter."""
    known = [each["limit"] for each in present]
    wanted = {each["limit"]: each["most"] for each in present if not each["is_default"]}
    for change in changes:
        name, _, value = change.partition("=")
        if name not in known:
            raise typer.BadParameter(f"--set {change}: known limits are {', '.join(known)}.")
        if value == "default":
            wanted.pop(name, None)
        elif value == "none":
            wanted[name] = None
        elif value.isascii() and value.isdigit():
            wanted[name] = int(value)
        else:
            raise typer.BadParameter(f"--set {change}: give a whole number, none or default.")
    return wanted


def _number(value: int | None) -> str:
    return "no limit" if value is None else f"{value:,}"
