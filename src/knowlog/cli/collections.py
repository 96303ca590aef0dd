"""`knowlog collections`: named sets of documents."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from knowlog.cli.connection import connect
from knowlog.cli.costs import confirm_cost
from knowlog.cli.options import AsJson, Key, Limit, Url, Yes
from knowlog.cli.output import emit, emit_list, say, show_fields, table
from knowlog.cli.output import show as show_table
from knowlog.cli.switches import say_switched, wait_for_switch
from knowlog.cli.values import json_object
from knowlog.kernel.errors import Misconfigured
from knowlog.kernel.wording import counted

app = typer.Typer(help="Collections: list, create, show, update, rollback, delete.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of the collection.")]
Profile = Annotated[
    str | None, typer.Option("--profile", help="Its profile: a JSON object, or a file that holds one.")
]
Strategy = Annotated[
    str | None, typer.Option("--strategy", help="How boundaries of chunks are chosen: chunking.strategy.")
]
ChildTokens = Annotated[
    int | None,
    typer.Option(
        "--child-tokens", help="For parent_child, most tokens that are searched: chunking.child_tokens."
    ),
]
ChunkTokens = Annotated[
    int | None, typer.Option("--chunk-tokens", help="Most tokens in a chunk: chunking.size_tokens.")
]
Overlap = Annotated[
    float | None, typer.Option("--overlap", help="Share that a chunk repeats: chunking.overlap.")
]
Depth = Annotated[
    int | None, typer.Option("--depth", help="Chunks that each leg contributes: retrieval.depth.")
]
DenseWeight = Annotated[
    float | None, typer.Option("--dense-weight", help="Share of the dense score: retrieval.dense_weight.")
]
Passages = Annotated[
    int | None,
    typer.Option("--passages", help="How many passages a search returns: retrieval.passages."),
]
PassageTokens = Annotated[
    int | None,
    typer.Option("--passage-tokens", help="For parent_child, most tokens shown: retrieval.passage_tokens."),
]
Pattern = Annotated[
    str | None,
    typer.Option("--pattern", help="The way from a question to passages: retrieval.pattern."),
]
OnePerDocument = Annotated[
    bool | None,
    typer.Option(
        "--one-per-document/--many-per-document",
        help="Only the best chunk of each document: retrieval.one_per_document.",
    ),
]


@app.command("list")
def list_collections(limit: Limit = 100, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List collections."""
    with connect(url, key) as client:
        emit_list(client.listed("/v1/collections", limit), as_json, _render)


@app.command()
def create(
    name: Name,
    profile: Profile = None,
    strategy: Strategy = None,
    chunk_tokens: ChunkTokens = None,
    overlap: Overlap = None,
    child_tokens: ChildTokens = None,
    depth: Depth = None,
    dense_weight: DenseWeight = None,
    passages: Passages = None,
    passage_tokens: PassageTokens = None,
    pattern: Pattern = None,
    one_per_document: OnePerDocument = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Create a collection. What its profile leaves out has its default."""
    given = _given(
        chunking={
            "strategy": strategy, "size_tokens": chunk_tokens, "overlap": overlap, "child_tokens": child_tokens,
        },
        retrieval={
            "depth": depth, "dense_weight": dense_weight, "passages": passages, "passage_tokens": passage_tokens,
            "pattern": pattern, "one_per_document": one_per_document,
        },
    )  # fmt: skip
    wanted: dict[str, Any] = {"name": name, "profile": _changed(_read(profile), given)}
    with connect(url, key) as client:
        made = client.post("/v1/collections", wanted)
    emit(made, as_json, lambda value: say(f"Collection {value['name']} is there."))


@app.command()
def show(name: Name, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show a collection with its profile, and how many of its documents are in each state."""
    with connect(url, key) as client:
        found = client.get(_address(name))
        states = {} if as_json else client.get(f"{_address(name)}/states")["states"]
    emit(found, as_json, lambda value: show_fields({**value, "documents": states}))


@app.command()
def update(
    name: Name,
    new_name: Annotated[str | None, typer.Option("--name", help="Another name for it.")] = None,
    profile: Profile = None,
    strategy: Strategy = None,
    chunk_tokens: ChunkTokens = None,
    overlap: Overlap = None,
    child_tokens: ChildTokens = None,
    depth: Depth = None,
    dense_weight: DenseWeight = None,
    passages: Passages = None,
    passage_tokens: PassageTokens = None,
    pattern: Pattern = None,
    one_per_document: OnePerDocument = None,
    yes: Yes = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Rename a collection, or change its profile; what is not named stays as it is.

    What is said of retrieval holds at once. When what is said of chunking changes, workers cut all documents anew, a
    few at a time; until its turn comes, each answers by the chunks that it has. `show` tells how far that is.
    """
    given = _given(
        chunking={
            "strategy": strategy, "size_tokens": chunk_tokens, "overlap": overlap, "child_tokens": child_tokens,
        },
        retrieval={
            "depth": depth, "dense_weight": dense_weight, "passages": passages, "passage_tokens": passage_tokens,
            "pattern": pattern, "one_per_document": one_per_document,
        },
    )  # fmt: skip
    wholly = _read(profile)
    if not (new_name or wholly or given):
        raise typer.BadParameter(
            "Nothing is to be changed. Give --name, --profile or a value of the profile."
        )
    wanted: dict[str, Any] = {} if new_name is None else {"name": new_name}
    with connect(url, key) as client:
        before = client.get(_address(name))
        if wholly or given:
            wanted["profile"] = _changed({**before["profile"], **wholly}, given)
            if _asks_a_model(wanted["profile"]) and not _asks_a_model(before["profile"]):
                extent = "What comes in later is sent too."
                confirm_cost(client, before, extent, "Have them cut so?", yes)
        made = client.call("PATCH", _address(name), value=wanted)
    emit(made, as_json, lambda value: _render_change(before, value))


@app.command()
def rollback(name: Name, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Go back to the profile and index that a collection had before its last switch, and wait for it."""
    with connect(url, key) as client:
        asked = client.post(f"{_address(name)}/rollback", {})
        done = wait_for_switch(client, asked, as_json)
    emit(done, as_json, say_switched)


@app.command()
def delete(name: Name, yes: Yes = False, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Delete a collection with all its documents, and print the receipt that proves it."""
    with connect(url, key) as client:
        if not yes:
            client.get(_address(name))  # nobody is asked about what is not there
            typer.confirm(f"Delete collection {name} with all its documents?", abort=True, err=True)
        receipt = client.delete(_address(name))
    emit({"deleted": name, "receipt": receipt}, as_json, _render_receipt)


def _render_receipt(value: dict[str, Any]) -> None:
    receipt = value["receipt"]
    removed = ", ".join(
        counted(receipt[f"{each}s"], each) for each in ("document", "version", "chunk", "vector")
    )
    searches, found = counted(receipt["proof"]["searches"], "search"), receipt["proof"]["found_after"]
    say(f"Collection {value['deleted']} is deleted: {removed}. {searches} afterwards found {found} of them.")


def _asks_a_model(profile: dict[str, Any]) -> bool:
    return bool(profile.get("chunking", {}).get("strategy") == "llm")


def _given(**sections: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The sections of a profile that the options speak of, with what they say."""
    said = {
        section: {name: value for name, value in values.items() if value is not None}
        for section, values in sections.items()
    }
    return {section: values for section, values in said.items() if values}


def _changed(profile: dict[str, Any], given: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {**profile, **{section: {**profile.get(section, {}), **said} for section, said in given.items()}}


def _read(profile: str | None) -> dict[str, Any]:
    """A profile from the JSON itself or from a file that holds it."""
    if profile is None or profile.lstrip().startswith("{"):
        return json_object(profile, "--profile") if profile else {}
    try:
        return json_object(Path(profile).expanduser().read_text("utf-8"), "--profile")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"{profile} cannot be read as a profile. Give a JSON object, or a file that holds one."
        ) from error


def _address(name: str) -> str:
    return f"/v1/collections/{quote(name, safe='')}"


def _render(listed: dict[str, Any]) -> None:
    rows = ([each["name"], each["document_count"], each["updated_at"]] for each in listed["items"])
    show_table(table(("Name", ">Documents", "Changed"), rows))


def _render_change(before: dict[str, Any], after: dict[str, Any]) -> None:
    say(f"Collection {after['name']} is changed; its profile has version {after['profile_version']}.")
    if before["profile"]["chunking"] != after["profile"]["chunking"] and after["document_count"]:
        count = after["document_count"]
        say(
            f"{count} {'document is' if count == 1 else 'documents are'} cut anew; until its turn comes, each answers by"
            f" the chunks that it has. `knowlog collections show {after['name']}` tells how far that is."
        )
