"""`knowlog datasets`: questions with what is known of them, to measure a collection on."""

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, CollectionName, Key, Limit, Url
from knowlog.cli.output import emit, emit_list, say, show_fields, table
from knowlog.cli.output import show as show_table
from knowlog.kernel.errors import Invalid

app = typer.Typer(
    help="Datasets: import, draft, from-questions, from-feedback, keep-questions, list, show, questions, delete.",
    no_args_is_help=True,
)
TheDataset = Annotated[str, typer.Argument(help="Name or id of the dataset.", metavar="DATASET")]
Name = Annotated[str, typer.Argument(help="What the dataset is called.", metavar="NAME")]


@app.command("import")
def import_(
    name: Name,
    path: Annotated[Path, typer.Argument(help="A JSONL or SQuAD file, or a folder in BEIR's form.")],
    collection: CollectionName,
    form: Annotated[Literal["jsonl", "beir", "squad"], typer.Option("--form", help="Form of the data.")] = "jsonl",
    answers: Annotated[
        Literal["quoted", "free"],
        typer.Option(help="quoted: answers stand in the documents; free: they are in words of their own."),
    ] = "quoted",
    origin: Annotated[
        Literal["real", "synthetic"], typer.Option(help="synthetic: a machine made the questions.")
    ] = "real",
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Only the first so many.")] = None,
    skip: Annotated[int, typer.Option("--skip", min=0, help="Leave out the first so many.")] = 0,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make a dataset of a file. Nothing is kept unless every question is right."""
    from knowlog.evaluation import read_questions  # loads every room below it

    read = read_questions(path, form)
    questions = read[skip:][:limit]
    if not read:
        raise Invalid(f"{path} holds no question. Check the path, or write one.")
    if not questions:
        raise Invalid(f"--skip {skip} leaves none of the questions of {path} ({len(read):,}).")
    wanted = {
        "name": name, "collection": collection, "origin": origin, "answers": answers,
        "questions": [{"id": each.question_id, "question": each.text, **each.truth} for each in questions],
    }  # fmt: skip
    _make("/v1/datasets", wanted, url, key, as_json)


@app.command()
def draft(
    name: Name,
    collection: CollectionName,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many questions.")] = 50,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same drafts.")] = 1,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Draft questions from the documents by rule. The dataset is marked synthetic for good."""
    wanted = {"name": name, "collection": collection, "count": count, "seed": seed}
    _make("/v1/datasets:draft", wanted, url, key, as_json)


@app.command("from-questions")
def from_questions(
    name: Name,
    collection: CollectionName,
    most: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most, newest first.")] = 500,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make a dataset of questions that people really asked, while they were kept."""
    wanted = {"name": name, "collection": collection, "most": most}
    _make("/v1/datasets:from-questions", wanted, url, key, as_json)


@app.command("from-feedback")
def from_feedback(
    name: Name,
    collection: CollectionName,
    most: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most, newest first.")] = 500,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make a dataset of questions on whose answers people said something, with what is known by that."""
    wanted = {"name": name, "collection": collection, "most": most}
    _make("/v1/datasets:from-feedback", wanted, url, key, as_json)


@app.command("keep-questions")
def keep_questions(
    keep: Annotated[
        Literal["yes", "no", "show"],
        typer.Argument(help="yes: from now on; no: no more, and forget those; show: whether they are."),
    ] = "show",
    days: Annotated[
        int, typer.Option(min=0, help="With yes: each for so many days; 0: until you say no.")
    ] = 365,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Keep the questions that are asked of this tenant, never who asked; or show whether they are kept."""
    with connect(url, key) as client:
        if keep == "yes":
            client.call("PUT", "/v1/kept-questions", value={"keep_days": days or None})
        if keep == "no":
            client.delete("/v1/kept-questions")
        emit(client.get("/v1/kept-questions"), as_json, show_fields)


@app.command("list")
def list_datasets(limit: Limit = 50, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List datasets."""
    with connect(url, key) as client:
        emit_list(client.listed("/v1/datasets", limit), as_json, _render)


@app.command()
def show(dataset: TheDataset, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show all that is known of a dataset."""
    with connect(url, key) as client:
        emit(client.get(_address(dataset)), as_json, show_fields)


@app.command()
def questions(
    dataset: TheDataset, limit: Limit = 50, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """List the questions of a dataset, with what is known of each."""
    with connect(url, key) as client:
        emit_list(_questions(client, dataset, limit), as_json, _render_questions)


@app.command()
def delete(dataset: TheDataset, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Delete a dataset with its questions and runs."""
    with connect(url, key) as client:
        client.delete(_address(dataset))
    emit({"deleted": dataset}, as_json, lambda _: say(f"Dataset {dataset} is deleted."))


def _make(path: str, wanted: dict[str, Any], url: str | None, key: str | None, as_json: bool) -> None:
    with connect(url, key) as client:
        made = client.post(path, wanted)
    emit(made, as_json, lambda value: say(_made(value)))


def _made(value: dict[str, Any]) -> str:
    count = value["question_count"]
    kind = "synthetic " if value["origin"] == "synthetic" else ""
    return f"Dataset {value['name']} holds {count:,} {kind}{'question' if count == 1 else 'questions'}."


def _questions(client: Any, dataset: str, limit: int) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    after: str | None = "0"
    while after is not None and len(items) < limit:
        page = client.get(f"{_address(dataset)}/questions", after=after, limit=min(200, limit - len(items)))
        items += page["items"]
        after = page["next_cursor"]
    return {"items": items, "next_cursor": after}


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [each["name"], each["collection"], each["origin"], each["question_count"], each["digest"], each["created_at"]]
        for each in listed["items"]
    )  # fmt: skip
    columns = ("Dataset", "Collection", "Origin", ">Questions", "Data version", "Created")
    show_table(table(columns, rows))


def _render_questions(listed: dict[str, Any]) -> None:
    rows = (
        [each["id"], each["question"], each["answers"], list(each["documents"]), each["unanswerable"]]
        for each in listed["items"]
    )
    show_table(table(("Id", "Question", "Answers", "Documents", "Unanswerable"), rows))


def _address(dataset: str) -> str:
    return f"/v1/datasets/{quote(dataset, safe='')}"
