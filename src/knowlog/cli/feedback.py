"""`knowlog feedback`: what people think of the answers that they got."""

from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Limit, Url
from knowlog.cli.output import emit, emit_list, say, show_fields, table
from knowlog.cli.output import show as show_table
from knowlog.cli.values import address

app = typer.Typer(help="Feedback on answers: give, list, show, delete.", no_args_is_help=True)
Thumb = Literal["up", "down"]
TheFeedback = Annotated[str, typer.Argument(help="Id of the feedback.", metavar="FEEDBACK")]


@app.command()
def give(
    answer: Annotated[str, typer.Argument(help="answer_id of an answer that you got.", metavar="ANSWER")],
    thumb: Annotated[Thumb, typer.Argument(help="up: it was right; down: it was not.")],
    correction: Annotated[str | None, typer.Option(help="The right answer, in words of your own.")] = None,
    comment: Annotated[str | None, typer.Option(help="Anything else.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Say whether an answer helped. Prints the id of what was said; what you said of it before is replaced."""
    said = {"thumb": thumb, "correction": correction, "comment": comment}
    with connect(url, key) as client:
        given = client.post(f"/v1/answers/{quote(answer, safe='')}/feedback", said)
    emit(given, as_json, lambda value: typer.echo(value["feedback_id"]))


@app.command("list")
def list_feedback(
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Only on answers from this collection.")
    ] = None,
    thumb: Annotated[Thumb | None, typer.Option(help="Only these.")] = None,
    limit: Limit = 50,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List what you have said of answers; as an admin, what all have."""
    with connect(url, key) as client:
        emit_list(client.listed("/v1/feedback", limit, collection=collection, thumb=thumb), as_json, _render)


@app.command()
def show(feedback: TheFeedback, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show all that was said of an answer."""
    with connect(url, key) as client:
        emit(client.get(_address(feedback)), as_json, show_fields)


@app.command()
def delete(feedback: TheFeedback, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Delete what was said of an answer."""
    with connect(url, key) as client:
        client.delete(_address(feedback))
    emit({"deleted": feedback}, as_json, lambda _: say("The feedback is deleted."))


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [each["feedback_id"], each["collection"], each["thumb"], each["question"], each["correction"], each["given_by"],
         each["given_at"]]
        for each in listed["items"]
    )  # fmt: skip
    show_table(table(("Feedback", "Collection", "Thumb", "Question", "Correction", "By", "Given"), rows))


def _address(feedback: str) -> str:
    return address("feedback", feedback)
