"""`knowlog threads`: your conversations."""

from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import typer

from knowlog.cli.answers import show_answer
from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Limit, Url
from knowlog.cli.output import emit, emit_list, out, say, table
from knowlog.cli.output import show as show_table
from knowlog.cli.values import address

app = typer.Typer(
    help="Your conversations: list, show, rename, export, delete. `knowlog ask --thread new` begins one.",
    no_args_is_help=True,
)
TheThread = Annotated[str, typer.Argument(help="Id of a thread of yours.", metavar="THREAD")]


@app.command("list")
def list_threads(limit: Limit = 50, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List your conversations, the one with the newest question first."""
    with connect(url, key) as client:
        emit_list(client.listed("/v1/threads", limit), as_json, _render)


@app.command()
def show(thread: TheThread, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show what was asked and answered, of what is in your documents as it was, and for you, today."""
    with connect(url, key) as client:
        emit(client.get(_address(thread)), as_json, _show_turns)


@app.command()
def rename(
    thread: TheThread,
    title: Annotated[str, typer.Argument(help="The new title.")],
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Give a conversation another title."""
    with connect(url, key) as client:
        renamed = client.call("PATCH", _address(thread), value={"title": title})
    emit(renamed, as_json, lambda _: say("The thread has a new title."))


@app.command()
def export(
    thread: TheThread,
    form: Annotated[
        Literal["markdown", "json"], typer.Option("--format", help="markdown: to read; json: for programs.")
    ] = "markdown",
    to: Annotated[
        Path | None, typer.Option("--to", help="File to write. [default: standard output]", dir_okay=False)
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Write a conversation with the quotes that its answers rest on. --json is --format json."""
    form = "json" if as_json else form
    with connect(url, key) as client:
        got = client.get(f"{_address(thread)}/export", format=form)
    written = got if isinstance(got, str) else orjson.dumps(got, option=orjson.OPT_INDENT_2).decode()
    if to is None:
        typer.echo(written.rstrip("\n"))
        return
    to.write_text(written, encoding="utf-8")
    say(f"The thread is in {to}.")


@app.command()
def delete(thread: TheThread, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Delete a conversation with all that was asked and answered."""
    with connect(url, key) as client:
        client.delete(_address(thread))
    emit({"deleted": thread}, as_json, lambda _: say("The thread is deleted."))


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [each["thread_id"], each["title"], each["turn_count"], each["updated_at"]] for each in listed["items"]
    )
    show_table(table(("Thread", "Title", ">Questions", "Last"), rows))


def _show_turns(thread: dict[str, Any]) -> None:
    for turn in thread["turns"]:
        show_answer(turn)
        if turn["withheld"]:
            say(
                f"{turn['withheld']} of its statements rest on what is gone, changed, or not for you any more."
            )
    if not thread["turns"]:
        out.print("Nothing was asked yet.")


def _address(thread: str) -> str:
    return address("threads", thread)
