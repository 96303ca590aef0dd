"""`knowlog eval`: measure a collection on a dataset, compare runs, and stop a change that made it worse."""

import time
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knowlog.cli.ask import Mode
from knowlog.cli.connection import connect
from knowlog.cli.files import write_page
from knowlog.cli.options import AsJson, Key, Limit, Url
from knowlog.cli.output import (
    emit,
    emit_list,
    out,
    print_json,
    printable,
    progress,
    say,
    show_fields,
    table,
)
from knowlog.cli.output import show as show_table
from knowlog.cli.values import address
from knowlog.kernel.errors import Invalid, KnowlogError
from knowlog.kernel.wording import counted

if TYPE_CHECKING:
    from knowlog.cli.client import Client

app = typer.Typer(
    help="Evaluation: run, list, show, compare, report, gate, cancel, delete.", no_args_is_help=True
)
_address = partial(address, "runs", listing="knowlog eval list")
_LOOK_EVERY_S = 0.5

RunId = Annotated[str, typer.Argument(help="The run's id, as `knowlog eval list` shows it.", metavar="RUN")]
Against = Annotated[str, typer.Option("--against", help="Id of the run to compare with.")]


class Group(StrEnum):
    """A group of metrics."""

    RETRIEVAL = "retrieval"
    ANSWERS = "answers"
    FAITHFULNESS = "faithfulness"


class RunFailed(KnowlogError):
    """A run did not come to a good end."""

    code = "run-failed"


class Regression(KnowlogError):
    """A run is significantly worse than the one it was held against."""

    code = "regression"


class Unjudged(KnowlogError):
    """A gate cannot look at all that it should."""

    code = "unjudged"


@app.command()
def run(
    dataset: Annotated[str, typer.Argument(help="Name or id of the dataset.", metavar="DATASET")],
    k: Annotated[int, typer.Option("--k", min=1, max=100, help="Depth of the figures of retrieval.")] = 5,
    measure: Annotated[
        list[Group] | None,
        typer.Option("--measure", "-m", help="Only this group; may be given more than once. [default: all]"),
    ] = None,
    mode: Mode = None,
    label: Annotated[str | None, typer.Option("--label", help="What the run is called in comparisons.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the intervals.")] = 1,
    price: Annotated[
        float, typer.Option("--price", min=0, help="Price of a million tokens read; 0 leaves cost out.")
    ] = 0,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for it.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Measure a collection on a dataset, and wait for the figures. Exit code 1 when that fails or is cancelled.

    Answers are made as users' are. Where a language model writes them, it is asked once for each question, on your
    tenant's account.
    """
    wanted = {
        "dataset": dataset, "k": k, "seed": seed, "label": label, "price_per_million": price, "mode": mode,
    }  # fmt: skip
    with connect(url, key) as client:
        found = client.post("/v1/runs", {**wanted, "measures": measure} if measure else wanted)
        _say_cost(found)
        if not detach:
            found = _wait(client, found, as_json)
    emit(found, as_json, _render_detached if detach else _render_run)
    if found["state"] in ("failed", "cancelled"):
        raise RunFailed(printable(found["reason"] or f"The run is {found['state']}."))


@app.command("list")
def list_runs(
    dataset: Annotated[str | None, typer.Option("--dataset", "-d", help="Only on this dataset.")] = None,
    limit: Limit = 50,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    with connect(url, key) as client:
        emit_list(client.listed("/v1/runs", limit, dataset=dataset), as_json, _render)


@app.command()
def show(run: RunId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show a run with its figures."""
    with connect(url, key) as client:
        emit(client.get(_address(run)), as_json, _render_run)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="Id of the run that is A.", metavar="A")],
    second: Annotated[str, typer.Argument(help="Id of the run that is B.", metavar="B")],
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Say in which metrics B is better or worse than A, question by question, and how sure that is."""
    with connect(url, key) as client:
        emit(_comparison(client, second, first), as_json, _render_comparison)


@app.command()
def report(
    run: RunId,
    html: Annotated[Path | None, typer.Option("--html", help="Write the report as one HTML page.")] = None,
    against: Annotated[str | None, typer.Option("--against", help="Id of a run to compare with.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Report on a run: figures, how they are spread, the worst twenty questions."""
    if html is not None and (html.is_dir() or not html.absolute().parent.is_dir()):
        raise Invalid(f"{html} cannot be written: its folder does not exist or it is one. Check --html.")
    other = None if against is None else _id(against)
    with connect(url, key) as client:
        found = client.get(f"{_address(run)}/report", against=other)
    if html is not None:
        from knowlog.evaluation import render_report  # loads every room below it

        write_page(html, render_report(found))
        say(f"The report is in {html}.")
    if as_json:
        print_json(found)
    elif html is None:
        _render_report(printable(found))


@app.command()
def gate(
    run: RunId,
    against: Against,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", "-m", help="Only this metric; may be given more than once. [default: quality]"),
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Exit with 1 when a run is significantly worse than another, for a pipeline to stop at.

    Also where what the other measured cannot be compared: a gate that looks at nothing is no gate.
    """
    if _id(run) == _id(against):
        raise typer.BadParameter("No run is worse than itself. Name the run to compare with in --against.")
    with connect(url, key) as client:
        found = _comparison(client, run, against, metric)
    emit(found, as_json, _say_passed)
    if found["regressions"]:
        raise Regression(" ".join(printable(each["verdict"]) for each in found["regressions"]))
    if found["unjudged"]:
        raise Unjudged(
            " ".join(_left_out(each) for each in found["unjudged"])
            + " (A is the run of --against.) Or name what counts with --metric."
        )


@app.command()
def cancel(run: RunId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Cancel a run that waits or is under way."""
    with connect(url, key) as client:
        done = client.post(f"{_address(run)}:cancel")
    emit(done, as_json, lambda _: say(f"Run {run} is cancelled."))


@app.command()
def delete(run: RunId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Delete a run with all that it measured."""
    with connect(url, key) as client:
        client.delete(_address(run))
    emit({"deleted": run}, as_json, lambda _: say(f"Run {run} is deleted."))


def _say_cost(run: dict[str, Any]) -> None:
    """Say so while hardly anything is paid yet, and how to stop it."""
    if run["wanted"]["mode"] == "generated":
        say(
            f"A language model writes {counted(run['question_count'], 'answer')} for this run, on your tenant's account."
            f" `knowlog eval cancel {run['run_id']}` stops it; with --mode extractive none is asked."
        )


def _wait(client: "Client", run: dict[str, Any], as_json: bool) -> dict[str, Any]:
    """Look until the run has ended, with a bar where somebody looks on."""
    with progress(as_json) as bar:
        task = bar.add_task("Measuring", total=run["question_count"], note="")
        while run["state"] in ("waiting", "running"):
            time.sleep(_LOOK_EVERY_S)
            run = client.get(_address(run["run_id"]))
            bar.update(task, completed=run["done"])
    return run


def _comparison(client: "Client", run: str, against: str, metric: list[str] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{_address(run)}/comparison", against=_id(against), metric=metric)
    return found


def _id(run: str) -> str:
    return _address(run).rpartition("/")[2]


def _say_passed(found: dict[str, Any]) -> None:
    if found["passed"]:
        say("No metric is significantly worse.")


def _left_out(each: dict[str, Any]) -> str:
    told = printable(each)
    return (
        f"Not compared: {', '.join(told['metrics'])}. {told['reason']}" if told["metrics"] else told["reason"]
    )


def _render_detached(run: dict[str, Any]) -> None:
    out.print(run["run_id"], markup=False)


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [each["run_id"], each["dataset"], each["label"], each["state"], f"{each['done']}/{each['question_count']}",
         each["profile_version"], each["created_at"]]
        for each in listed["items"]
    )  # fmt: skip
    show_table(table(("Run", "Dataset", "Label", "State", ">Done", ">Profile", "Created"), rows))


def _render_run(run: dict[str, Any]) -> None:
    made = run["made_with"] or {}
    shown = {name: value for name, value in run.items() if name not in ("figures", "made_with", "wanted")}
    show_fields(
        {
            **shown, "model": made.get("embedding_key"), "judge": made.get("judge"), "k": run["wanted"]["k"],
            "answers": (made.get("answers") or {}).get("told"),
        }
    )  # fmt: skip
    if run["figures"]:
        rows = (
            [name, each["mean"], f"{each['low']:.3f} to {each['high']:.3f}", each["count"]]
            for name, each in run["figures"].items()
        )
        show_table(table(("Metric", ">Mean", ">95 % interval", ">Questions"), rows))


def _render_comparison(found: dict[str, Any]) -> None:
    say(f"A is {found['first']}, B is {found['second']}." + _drafts(found["synthetic"]))
    _render_differences(found)


def _render_differences(found: dict[str, Any]) -> None:
    for each in found["differences"]:
        out.print(each["verdict"], markup=False)
    for each in found["left_out"]:
        out.print(_left_out(each), markup=False)


def _drafts(synthetic: bool) -> str:
    return " The questions are synthetic: drafts made from documents." if synthetic else ""


def _render_report(report: dict[str, Any]) -> None:
    _render_run(report["run"])
    _render_differences(report)
    rows = (
        [f"{each['worth']:.2f}", each["question_id"], each["detail"]["question"]] for each in report["worst"]
    )
    show_table(table((">Worth", "Id", "The worst questions"), rows))
