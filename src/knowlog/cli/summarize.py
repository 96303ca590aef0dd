"""`knowlog summarize`: a document, a collection or what it says of a topic, in as many words as are wished for."""

import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Url
from knowlog.cli.output import emit, err, out, printable, say
from knowlog.kernel.errors import Invalid, KnowlogError

if TYPE_CHECKING:
    from knowlog.cli.client import Client

FormOption = Annotated[
    Literal["brief", "bullets", "executive"],
    typer.Option(
        "--form", help="brief: a paragraph; bullets: a list; executive: the main sentence, then a list."
    ),
]
Words = Annotated[
    int | None, typer.Option("--words", "-w", min=20, max=5000, help="Length wished for. [default: 150]")
]
Tokens = Annotated[
    int | None,
    typer.Option("--tokens", min=20, max=5000, help="The same in tokens of the embedding model."),
]
ModeOption = Annotated[
    Literal["extractive", "generated"],
    typer.Option(
        "--mode", help="extractive: quotations alone; generated: written by a language model, verified."
    ),
]
Since = Annotated[str | None, typer.Option("--since", help="Only documents of this moment or later (ISO).")]
Until = Annotated[str | None, typer.Option("--until", help="Only documents from before this moment (ISO).")]
DateField = Annotated[
    str | None,
    typer.Option(
        "--date-field",
        help="Member of the metadata that holds a document's date. [default: when it came in]",
    ),
]
_LOOK_EVERY_S = 0.25
_OPEN = ("waiting", "running")


class SummaryFailed(KnowlogError):
    """A summary, or a batch, did not come to a good end."""

    code = "summary-failed"


def summarize(
    collection: Annotated[str | None, typer.Argument(help="Name of the collection.", metavar="[COLLECTION]")] = None,
    document: Annotated[str | None, typer.Option("--document", "-d", help="Id of one document.")] = None,
    topic: Annotated[str | None, typer.Option("--topic", "-t", help="Only what is said of this.")] = None,
    since: Since = None,
    until: Until = None,
    date_field: DateField = None,
    form: FormOption = "brief",
    words: Words = None,
    tokens: Tokens = None,
    mode: ModeOption = "extractive",
    detach: Annotated[bool, typer.Option("--detach", help="Print the summary's id, and do not wait for it.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Summarize a document, a collection or what it says of a topic, and wait for it. Exit code 1 when that fails."""
    if (collection is None) == (document is None):
        raise Invalid("Name what is to be summarized: a collection, or --document with an id.")
    wish = {**how(since, until, date_field, form, words, tokens, mode), "topic": topic}
    place = {"collection": collection} if document is None else {"document_id": document}
    with connect(url, key) as client:
        found = client.post("/v1/summaries", {**wish, **place})
        with err.status("Waiting for a worker to summarize ..."):
            while not detach and found["state"] in _OPEN:
                time.sleep(_LOOK_EVERY_S)
                found = client.get(f"/v1/summaries/{found['summary_id']}")
    emit(found, as_json, _render_id if detach else show_summary)
    if found["state"] in ("failed", "cancelled"):
        raise SummaryFailed(printable(found["reason"] or f"The summary is {found['state']}."))


def how(
    since: str | None, until: str | None, date_field: str | None, form: str, words: int | None, tokens: int | None,
    mode: str,
) -> dict[str, Any]:  # fmt: skip
    """How a summary is to be, as the server takes it. Raises Invalid for two lengths."""
    if words is not None and tokens is not None:
        raise Invalid("Give the length as --words or as --tokens, not as both.")
    return {
        "since": _moment(since),
        "until": _moment(until),
        "date_field": date_field,
        "form": form,
        "length": tokens or words or 150,
        "unit": "tokens" if tokens else "words",
        "mode": mode,
    }


def wait_for_batch(client: "Client", batch: dict[str, Any], look: Any) -> dict[str, Any]:
    """Look until a batch has ended or stopped; `look` is called with it each time."""
    while batch["state"] in _OPEN:
        time.sleep(_LOOK_EVERY_S)
        batch = client.get(f"/v1/summaries/batches/{batch['batch_id']}")
        look(batch)
    return batch


def show_summary(found: dict[str, Any]) -> None:
    """Print a summary: the text on stdout, with the places of its quotes below."""
    if found["text"] is None:
        say(f"The summary is {found['state']}.")
        return
    out.print(found["text"], markup=False)
    out.print()
    for number, statement in enumerate(found["statements"], start=1):
        cited = statement["citations"][0]
        page = f", page {cited['page']}" if cited["page"] else ""
        place = f"{cited['start']}-{cited['end']}"
        out.print(f"[{number}] {cited['external_id']}{page}, characters {place}", markup=False)
    said = "" if found["within"] else f" ({found['wished']} were wished)"
    say(f"{found['length']} {found['unit']}{said}, {found['rung']}, from {_documents(found)}.")
    for note in found["notes"]:
        say(note)


def _documents(found: dict[str, Any]) -> str:
    count = found["document_count"]
    return "one document" if count == 1 else f"{count:,} documents"


def _render_id(found: dict[str, Any]) -> None:
    out.print(found["summary_id"], markup=False)


def _moment(text: str | None) -> str | None:
    """A day is its midnight in UTC; a moment without a zone is UTC."""
    if text is None:
        return None
    moment = text if "T" in text else f"{text}T00:00:00"
    return moment if moment.endswith("Z") or "+" in moment[10:] or "-" in moment[10:] else f"{moment}Z"
