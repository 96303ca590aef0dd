"""`knowlog jobs`: the work that is done in the background."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from knowlog.cli.answered import Refused
from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Limit, Url
from knowlog.cli.output import emit, emit_list, printable, progress, say, show_fields, table
from knowlog.cli.output import show as show_table
from knowlog.cli.values import address
from knowlog.kernel.errors import KnowlogError, Unavailable

if TYPE_CHECKING:
    from knowlog.cli.client import Client

app = typer.Typer(help="Jobs: list, dead, show, watch, retry, cancel.", no_args_is_help=True)
_address = partial(address, "jobs")
_LOOK_EVERY_S, _FOLLOWED_S = 0.5, 30
_ENDED = ("done", "failed", "cancelled")

JobId = Annotated[str, typer.Argument(help="The job's id, as `knowlog jobs list` shows it.")]
Kind = Annotated[
    str | None, typer.Option("--kind", help="Only of this kind, such as document.received or refresh.requested.")
]  # fmt: skip
Collection = Annotated[str | None, typer.Option("--collection", "-c", help="Only about this collection.")]
State = Annotated[
    Literal["waiting", "running", "done", "failed", "cancelled", "dead"] | None,
    typer.Option("--state", "-s", help="Only in this state; dead: failed, and not asked for anew."),
]


class JobFailed(KnowlogError):
    """A job that was watched did not come to a good end."""

    code = "job-failed"


@app.command("list")
def list_jobs(
    state: State = None,
    kind: Kind = None,
    document: Annotated[
        str | None, typer.Option("--document", "-d", help="Only about this document.")
    ] = None,
    collection: Collection = None,
    limit: Limit = 50,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    wanted = {"state": state, "kind": kind, "document_id": document, "collection": collection}
    with connect(url, key) as client:
        emit_list(client.listed("/v1/jobs", limit, **wanted), as_json, _render)


@app.command()
def dead(
    kind: Kind = None,
    collection: Collection = None,
    limit: Limit = 50,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List jobs that have failed for good and were not asked for anew, oldest first, each with its cause."""
    wanted = {"state": "dead", "order": "oldest", "kind": kind, "collection": collection}
    with connect(url, key) as client:
        emit_list(client.listed("/v1/jobs", limit, **wanted), as_json, _render_dead)


@app.command()
def show(job: JobId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show all that is known of a job."""
    with connect(url, key) as client:
        emit(client.get(_address(job)), as_json, show_fields)


@app.command()
def watch(job: JobId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Wait until a job has ended, and show it. Exit code 1 when it failed or was cancelled."""
    with connect(url, key) as client, progress(as_json) as bar:
        task = bar.add_task("The job is asked for", total=None, note="")
        while (found := client.get(_address(job)))["state"] not in _ENDED:
            _follow(client, job, partial(bar.update, task))
            time.sleep(_LOOK_EVERY_S)
    emit(found, as_json, show_fields)
    if found["state"] != "done":
        raise JobFailed(printable(found["reason"] or f"The job is {found['state']}."))


@app.command()
def retry(
    job: Annotated[str | None, typer.Argument(help="The job's id, as `knowlog jobs dead` shows it.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All dead jobs, instead of one.")] = False,
    kind: Kind = None,
    collection: Collection = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Put a failed or cancelled job back into the queue, or all dead ones."""
    if (job is None) is not every:
        raise typer.BadParameter("Give the id of one job, or --all for all that are dead.")
    if job is not None and (kind or collection):
        raise typer.BadParameter("--kind and --collection go with --all.")
    with connect(url, key) as client:
        if job is not None:
            again = client.post(f"{_address(job)}:retry")
            return emit(again, as_json, lambda _: say(f"Job {job} is tried again."))
        done = client.post("/v1/jobs:retry", {"kind": kind, "collection": collection})
    return emit(done, as_json, lambda value: say(_retried(value["retried"])))


@app.command()
def cancel(job: JobId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Cancel a job that waits or runs. Its document has failed then; `retry` takes it back."""
    with connect(url, key) as client:
        done = client.post(f"{_address(job)}:cancel")
    emit(done, as_json, lambda _: say(f"Job {job} is cancelled."))


def _follow(client: "Client", job: str, show: Callable[..., None]) -> None:
    """Show how a job gets on, while the server tells; where it does not, the job is looked at again anyway."""
    with suppress(Unavailable, Refused):
        for each in client.stream("GET", f"{_address(job)}/events", within_s=_FOLLOWED_S):
            if each.event == "state":
                show(description=f"The job is {each.data['state']}")
            elif each.event == "progress":
                show(completed=each.data["embedded"], total=each.data["chunks"], note="chunks embedded")


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [each["job_id"], each["kind"], each["state"], each["attempts"], _took(each), each["created_at"],
         each["reason"] or _about(each)]
        for each in listed["items"]
    )  # fmt: skip
    columns = ("Job", "Kind", "State", ">Attempts", ">Took", "Asked for", "About, or why it failed")
    show_table(table(columns, rows))


def _render_dead(listed: dict[str, Any]) -> None:
    rows = (
        [
            each["job_id"],
            each["kind"],
            each["attempts"],
            each["finished_at"],
            _about(each),
            each["reason"],
        ]
        for each in listed["items"]
    )
    show_table(table(("Job", "Kind", ">Attempts", "Failed", "About", "Why"), rows))


def _about(job: dict[str, Any]) -> str:
    """What the job is about, in two words."""
    for noun, member in (
        ("document", "document_id"),
        ("webhook", "endpoint_id"),
        ("collection", "collection_id"),
    ):
        if job[member]:
            return f"{noun} {job[member]}"
    return ""


def _took(job: dict[str, Any]) -> str:
    return "" if job["took_ms"] is None else f"{job['took_ms'] / 1000:.1f} s"


def _retried(count: int) -> str:
    if count == 0:
        return "No job is dead."
    return f"{count} {'job is' if count == 1 else 'jobs are'} tried again."
