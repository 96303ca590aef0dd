"""`knowlog events`: what has happened, and what is happening."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import typer

from knowlog.cli.answered import Refused
from knowlog.cli.connection import PATIENCE_S, connect
from knowlog.cli.options import AsJson, Key, Limit, Url
from knowlog.cli.output import (
    emit,
    emit_list,
    one_line,
    out,
    print_json,
    printable,
    readable,
    show_fields,
    table,
    tell,
)
from knowlog.cli.output import show as show_table
from knowlog.cli.values import an_id
from knowlog.kernel.errors import Unavailable

if TYPE_CHECKING:
    from knowlog.cli.client import Client

app = typer.Typer(help="Events: list, show, tail.", no_args_is_help=True)
_PAUSE_S = 0.5

Types = Annotated[
    list[str] | None,
    typer.Option("--type", "-t", help="Only this type, such as document.indexed; may be given more than once."),
]  # fmt: skip
Subject = Annotated[
    str | None, typer.Option("--subject", "-s", help="Only about this document or collection.")
]
Since = Annotated[
    str | None, typer.Option("--since", help="Only behind the event with this cursor; `beginning` for all.")
]


@app.command("list")
def list_events(
    types: Types = None,
    subject: Subject = None,
    since: Since = None,
    oldest: Annotated[bool, typer.Option("--oldest", help="Oldest first. [default: newest first]")] = False,
    limit: Limit = 50,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List what has happened."""
    order = "oldest" if oldest else "newest"
    wanted = {"type": types, "subject": subject, "since": since, "order": order}
    with connect(url, key) as client:
        found = client.listed("/v1/events", limit, **wanted)
    emit_list(found, as_json, _render)


@app.command()
def show(
    event: Annotated[str, typer.Argument(help="The event's id, as `knowlog events list` shows it.")],
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show an event with its data."""
    with connect(url, key) as client:
        emit(
            client.get(f"/v1/events/{an_id(event, 'an event', 'knowlog events list')}"), as_json, show_fields
        )


@app.command()
def tail(
    types: Types = None,
    subject: Subject = None,
    since: Since = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="End after so many.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Print events as they happen, until Ctrl-C; with --json, each is a line. Goes on where it was when the server
    starts again.
    """
    wanted = {"type": types, "subject": subject, "since": since}
    with connect(url, key) as client:
        tell("Waiting for events; Ctrl-C ends it.")
        for number, event in enumerate(_follow(client, wanted), start=1):
            if as_json:
                print_json(event)
            else:
                _print_line(printable(event))
            if number == limit:
                return


def _follow(client: "Client", wanted: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield events for ever. A stream that ends or breaks off is taken up again behind the last event."""
    away_since: float | None = None
    begun = False
    while True:
        given = {name: value for name, value in wanted.items() if value}
        try:
            for each in client.stream("GET", f"/v1/events/stream?{urlencode(given, doseq=True)}"):
                begun, away_since = True, None
                if each.event == "error":
                    raise Refused(each.data["status"], each.data)
                wanted["since"] = each.id
                if each.data is not None:
                    yield each.data
        except (Unavailable, Refused) as error:
            away_since = away_since or time.monotonic()
            if not begun or not _passes(error) or time.monotonic() - away_since > PATIENCE_S:
                raise
        time.sleep(_PAUSE_S)


def _passes(error: Exception) -> bool:
    return not isinstance(error, Refused) or error.http_status == 503


def _print_line(event: dict[str, Any]) -> None:
    fields = (readable(event["time"]), f"{event['type']:<18}", event["subject"], readable(event["data"]))
    out.print("  ".join(map(one_line, fields)), markup=False)


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [each["time"], each["type"], each["subject"], readable(each["data"]), each["id"]]
        for each in listed["items"]
    )
    show_table(table(("When", "Type", "About", "Data", "Event"), rows))
