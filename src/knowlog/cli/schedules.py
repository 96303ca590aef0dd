"""`knowlog schedules`: work on a collection that is asked for again and again."""

from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, CollectionName, Key, Url
from knowlog.cli.output import emit, readable, say, show_fields, table
from knowlog.cli.output import show as show_table

app = typer.Typer(help="Schedules: create, list, show, run, enable, disable, delete.", no_args_is_help=True)
TheSchedule = Annotated[str, typer.Argument(help="Name or id of the schedule.", metavar="SCHEDULE")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    task: Annotated[
        Literal["refresh", "retention"],
        typer.Argument(help="refresh: fetch documents by URL again; retention: delete those that are too old."),
    ],
    collection: CollectionName,
    cron: Annotated[
        str | None, typer.Option("--cron", help="Five fields, such as '0 3 * * *' for three each night.")
    ] = None,
    every_s: Annotated[
        int | None, typer.Option("--every-s", min=60, help="Every so many seconds, instead of --cron.")
    ] = None,
    timezone: Annotated[str, typer.Option("--timezone", help="Time zone of --cron, such as Europe/Berlin.")] = "UTC",
    older_than_days: Annotated[
        int | None, typer.Option("--older-than-days", min=1, help="For retention: age of a document's content.")
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Create a schedule."""
    wanted = {
        "name": name, "task": task, "collection": collection, "cron": cron, "every_s": every_s,
        "timezone": timezone, "older_than_days": older_than_days,
    }  # fmt: skip
    with connect(url, key) as client:
        made = client.post("/v1/schedules", wanted)
    emit(made, as_json, lambda value: say(f"{value['name']} is due next at {readable(value['next_at'])}."))


@app.command("list")
def list_schedules(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List schedules, with when each is due next."""
    with connect(url, key) as client:
        emit(client.get("/v1/schedules"), as_json, _render)


@app.command()
def show(schedule: TheSchedule, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show all that is known of a schedule."""
    with connect(url, key) as client:
        emit(client.get(_address(schedule)), as_json, show_fields)


@app.command()
def run(schedule: TheSchedule, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Ask for its work now. Prints the job."""
    with connect(url, key) as client:
        job = client.post(f"{_address(schedule)}/runs")
    emit(job, as_json, lambda value: typer.echo(value["job_id"]))


@app.command()
def enable(schedule: TheSchedule, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Switch a schedule on."""
    _switch(schedule, True, url, key, as_json)


@app.command()
def disable(schedule: TheSchedule, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Switch a schedule off. What it misses is not made up for."""
    _switch(schedule, False, url, key, as_json)


@app.command()
def delete(schedule: TheSchedule, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Delete a schedule. What it has asked for already goes on."""
    with connect(url, key) as client:
        client.delete(_address(schedule))
    emit({"deleted": schedule}, as_json, lambda _: say(f"Schedule {schedule} is deleted."))


def _switch(schedule: str, enabled: bool, url: str | None, key: str | None, as_json: bool) -> None:
    with connect(url, key) as client:
        changed = client.call("PATCH", _address(schedule), value={"enabled": enabled})
    emit(changed, as_json, lambda value: say(_switched(value)))


def _switched(value: dict[str, Any]) -> str:
    if not value["enabled"]:
        return f"{value['name']} is switched off."
    return f"{value['name']} is due next at {readable(value['next_at'])}."


def _render(listed: dict[str, Any]) -> None:
    rows = (_row(each) for each in listed["items"])
    show_table(table(("Schedule", "Task", "When", "Time zone", "Next", "Last"), rows))


def _row(each: dict[str, Any]) -> list[Any]:
    when = (each["cron"], each["timezone"]) if each["cron"] else (f"every {each['every_s']:,} s", "")
    due = each["next_at"] if each["enabled"] else "switched off"
    return [each["name"], each["type"].partition(".")[0], *when, due, each["last_at"]]


def _address(schedule: str) -> str:
    return f"/v1/schedules/{quote(schedule, safe='')}"
