"""`knowlog tunings`: what was tuned, and the end of it."""

from typing import Annotated, Any

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Limit, Url
from knowlog.cli.output import emit, emit_list, say, show_fields, table
from knowlog.cli.output import show as show_table
from knowlog.cli.tune import address_of, show_report
from knowlog.kernel.wording import counted

app = typer.Typer(
    help="Tunings, which `knowlog tune` begins: list, show, cancel, delete.", no_args_is_help=True
)
TuningId = Annotated[
    str, typer.Argument(help="The tuning's id, as `knowlog tunings list` shows it.", metavar="TUNING")
]


@app.command("list")
def list_tunings(limit: Limit = 50, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List tunings, newest first."""
    with connect(url, key) as client:
        emit_list(client.listed("/v1/tunings", limit), as_json, _render)


@app.command()
def show(tuning: TuningId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show a tuning: how far it is, and its report once it is done."""
    with connect(url, key) as client:
        emit(client.get(address_of(tuning)), as_json, _render_tuning)


@app.command()
def cancel(tuning: TuningId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Cancel a tuning that waits or is under way. The collection is as it was."""
    with connect(url, key) as client:
        done = client.post(f"{address_of(tuning)}:cancel")
    emit(done, as_json, lambda _: say(f"Tuning {tuning} is cancelled."))


@app.command()
def delete(tuning: TuningId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Delete a tuning with its report. What was applied stays."""
    with connect(url, key) as client:
        client.delete(address_of(tuning))
    emit({"deleted": tuning}, as_json, lambda _: say(f"Tuning {tuning} is deleted."))


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [each["tuning_id"], each["collection"], each["dataset"], each["state"], f"{each['done']}/{each['total']}",
         _advice(each), each["created_at"]]
        for each in listed["items"]
    )  # fmt: skip
    show_table(table(("Tuning", "Collection", "Dataset", "State", ">Done", "Advice", "Created"), rows))


def _advice(tuning: dict[str, Any]) -> str:
    report = tuning["report"]
    if report is None:
        return ""
    if not report["change"]:
        return "keep what there is"
    count = report.get("recommended_k")
    return f"change to trial {report['recommended']}" + (
        f" with {counted(count, 'passage')}" if count else ""
    )


def _render_tuning(tuning: dict[str, Any]) -> None:
    left_out = ("report", "profile", "wanted")
    show_fields({name: value for name, value in tuning.items() if name not in left_out})
    if tuning["report"]:
        show_report(tuning["report"])
