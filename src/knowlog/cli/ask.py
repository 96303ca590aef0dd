"""`knowlog ask`: an answer with its sources."""

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from knowlog.cli.answers import show_answer
from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Collections, Filter, Key, Pattern, Url
from knowlog.cli.output import emit, say
from knowlog.cli.search import Question
from knowlog.cli.values import an_id, json_object

if TYPE_CHECKING:
    from knowlog.cli.client import Client

Mode = Annotated[
    str | None,
    typer.Option(
        "--mode",
        help="extractive: quotations alone; generated: written by a language model, verified. [default: the server's]",
    ),
]


Thread = Annotated[
    str | None,
    typer.Option(
        "--thread",
        help="Id of a conversation of yours to go on with, or new to begin one; the question is understood after those"
        " before it.",
    ),
]


def ask(
    question: Question,
    collection: Collections = None,
    metadata: Filter = None,
    mode: Mode = None,
    pattern: Pattern = None,
    thread: Thread = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question by quotations or verified statements with their sources, or say that the documents do not."""
    asked: dict[str, object] = {"question": question}
    if collection:
        asked["collections"] = collection
    if metadata is not None:
        asked["filter"] = json_object(metadata, "--filter")
    if mode:
        asked["mode"] = mode
    if pattern:
        asked["pattern"] = pattern
    with connect(url, key) as client:
        if thread:
            asked["thread_id"] = _thread_id(client, thread)
            answer = client.post("/v1/answers", asked)
        else:
            answer = client.ask("/v1/answers", asked)
    emit(answer, as_json, show_answer)
    if thread:
        again = "".join(f" -c {shlex.quote(each)}" for each in collection or ())
        say(f"Go on: knowlog ask --thread {answer['thread_id']}{again} '...'")


def _thread_id(client: "Client", named: str) -> str:
    """The id of the thread that was named, or of a new one."""
    if named == "new":
        return str(client.post("/v1/threads")["thread_id"])
    return an_id(named, "a thread", "knowlog threads list")
