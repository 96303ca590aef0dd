"""`knowlog sources`: documents that come in by a stream, a queue or a topic; and the messages that did not fit."""

from typing import Annotated, Any, Literal

import typer

from knowlog.cli.connection import connect, connect_operator
from knowlog.cli.options import AsJson, Key, Limit, OperatorKey, Url, Yes
from knowlog.cli.output import emit, emit_list, out, progress, say, show_fields, table
from knowlog.cli.output import show as show_table
from knowlog.cli.values import address, an_id
from knowlog.kernel.errors import NotFound
from knowlog.kernel.wording import counted

app = typer.Typer(
    help="Sources: documents from Redis, RabbitMQ or Kafka. list, show, pause, resume, dead, replay; create, delete"
    " (operator).",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="Name or id of the source.")]
Tenant = Annotated[str, typer.Argument(help="The tenant's id.")]
Letter = Annotated[str, typer.Argument(help="Id of a dead letter.")]
LetterOfMany = Annotated[str | None, typer.Argument(help="Id of a dead letter.")]
_SHOWN = 40
"""Characters of a message's id in a list."""


@app.command()
def create(
    tenant: Tenant,
    name: Annotated[str, typer.Argument(help="Name of the source.")],
    kind: Annotated[
        Literal["redis", "rabbitmq", "kafka"], typer.Option("--kind", "-k", help="What the topic is in.")
    ],
    topic: Annotated[
        str, typer.Option("--topic", "-t", help="The stream, queue or topic; it is not created.")
    ],
    collection: Annotated[str, typer.Option("--collection", "-c", help="Where the documents go.")],
    plain: Annotated[
        bool, typer.Option("--plain", help="Messages are plain JSON objects instead of CloudEvents.")
    ] = False,
    member: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help="Where a member is in a plain message: external_id=article.sku. May be repeated."
        ),
    ] = None,
    url: Url = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Create a source for a tenant. Needs the operator key, since a topic may hold anybody's data."""
    wanted = {
        "name": name, "kind": kind, "topic": topic, "collection": collection,
        "format": "plain" if plain else "cloudevents", "mapping": dict(map(_mapped, member or ())),
    }  # fmt: skip
    with connect_operator(url, operator_key) as client:
        made = client.post(_of_tenant(tenant), wanted)
    emit(made, as_json, lambda value: say(_made(value)))


@app.command()
def delete(
    tenant: Tenant,
    name: Name,
    yes: Yes = False,
    url: Url = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Delete a tenant's source with its dead letters. Needs the operator key. Documents and topic stay."""
    if not yes:
        typer.confirm(f"Delete source {name} with its dead letters?", abort=True, err=True)
    place = _of_tenant(tenant)
    with connect_operator(url, operator_key) as client:
        found = _find(client.get(place)["items"], name)
        client.delete(f"{place}/{found['source_id']}")
    emit({"deleted": found["source_id"]}, as_json, lambda _: say(f"Source {found['name']} is deleted."))


@app.command("list")
def list_sources(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List sources with what they have taken, and what is wrong with them."""
    with connect(url, key) as client:
        emit({"items": client.get("/v1/sources")["items"]}, as_json, _render)


@app.command()
def show(name: Name, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show a source."""
    with connect(url, key) as client:
        emit(_find(client.get("/v1/sources")["items"], name), as_json, show_fields)


@app.command()
def pause(name: Name, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Read a source no more; its messages wait with the broker."""
    made = _change(name, {"state": "paused"}, url, key)
    emit(made, as_json, lambda value: say(f"Source {value['name']} is paused."))


@app.command()
def resume(
    name: Name,
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Another collection for what comes from now on.")
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Go on reading a source where it stopped."""
    wanted = {"state": "active", **({"collection": collection} if collection else {})}
    made = _change(name, wanted, url, key)
    emit(made, as_json, lambda value: say(f"Source {value['name']} is read."))


@app.command()
def dead(
    name: Annotated[str | None, typer.Argument(help="Only those of this source, by name or id.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those that were replayed, too.")] = False,
    limit: Limit = 100,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, newest first: messages that could not be taken, and why."""
    with connect(url, key) as client:
        found = client.listed("/v1/dead-letters", limit, **_wanted(client, name, everything))
    emit_list(found, as_json, _render_dead)


@app.command()
def letter(letter_id: Letter, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show a dead letter with its body."""
    with connect(url, key) as client:
        emit(client.get(_address(letter_id)), as_json, show_fields)


@app.command()
def replay(
    letter_id: LetterOfMany = None,
    source: Annotated[
        str | None, typer.Option("--source", "-s", help="Instead: all of this source, oldest first.")
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Take a dead letter in, or all of a source, after what was wrong is mended."""
    _check_one(letter_id, source)
    with connect(url, key) as client:
        if letter_id is not None:
            done = [client.call("POST", f"{_address(letter_id)}:replay")]
            refused: list[dict[str, Any]] = []
        else:
            done, refused = _replay_all(client, str(source), as_json)
    emit({"replayed": done, "refused": refused}, as_json, _render_replayed)
    if refused:
        raise typer.Exit(1)


@app.command()
def forget(
    letter_id: LetterOfMany = None,
    source: Annotated[str | None, typer.Option("--source", "-s", help="Instead: all of this source.")] = None,
    yes: Yes = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Delete a dead letter for good, or all of a source, those that were replayed too."""
    _check_one(letter_id, source)
    if source is not None and not yes:
        typer.confirm(f"Delete all dead letters of source {source}?", abort=True, err=True)
    with connect(url, key) as client:
        if letter_id is not None:
            client.delete(_address(letter_id))
            return emit({"deleted": letter_id}, as_json, lambda _: say("The dead letter is deleted."))
        found = _find(client.get("/v1/sources")["items"], str(source))
        done = client.delete(f"/v1/sources/{found['source_id']}/dead-letters")
    return emit(done, as_json, lambda value: say(f"{counted(value['deleted'], 'dead letter')} deleted."))


def _check_one(letter_id: str | None, source: str | None) -> None:
    if (letter_id is None) == (source is None):
        raise typer.BadParameter("Name a dead letter, or a source with --source.")


def _replay_all(client: Any, source: str, as_json: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Replay in the order in which they came; what is still wrong is told and stays."""
    from knowlog.cli.client import Refused

    done, refused = [], []
    letters = list(client.pages("/v1/dead-letters", **_wanted(client, source, False)))
    with progress(as_json) as bar:
        for each in bar.track(letters[::-1], task_id=bar.add_task("Replaying", note="")):
            try:
                done.append(client.call("POST", f"{_address(each['dead_letter_id'])}:replay"))
            except Refused as error:
                if error.http_status not in (409, 413, 415, 422):
                    raise
                refused.append({**each, "cause": error.detail})
    return done, refused


def _wanted(client: Any, name: str | None, everything: bool) -> dict[str, Any]:
    wanted: dict[str, Any] = {} if everything else {"replayed": "false"}
    if name is not None:
        wanted["source"] = _find(client.get("/v1/sources")["items"], name)["source_id"]
    return wanted


def _change(name: str, wanted: dict[str, Any], url: str | None, key: str | None) -> Any:
    with connect(url, key) as client:
        found = _find(client.get("/v1/sources")["items"], name)
        return client.call("PATCH", f"/v1/sources/{found['source_id']}", value=wanted)


def _made(source: dict[str, Any]) -> str:
    """The server did not look whether the topic is there: a worker does."""
    return (
        f"Source {source['name']} is to read {source['topic']}. `knowlog sources list` tells, after some seconds, what it"
        " has taken, or why it is not read."
    )


def _find(sources: list[dict[str, Any]], name: str) -> dict[str, Any]:
    for each in sources:
        if name in (each["name"], each["source_id"]):
            return each
    raise NotFound(f"There is no source {name!r}. `knowlog sources list` shows those that there are.")


def _mapped(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise typer.BadParameter(
            f"--map is written member=path, such as external_id=article.sku; not {text!r}."
        )
    return name, path


def _of_tenant(tenant: str) -> str:
    return f"{address('tenants', tenant)}/sources"


def _address(letter_id: str) -> str:
    return f"/v1/dead-letters/{an_id(letter_id, 'a dead letter', 'knowlog sources dead')}"


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [
            each["name"],
            each["kind"],
            each["topic"],
            each["state"],
            each["taken"],
            each["dead_letters"],
            each["trouble"],
        ]
        for each in listed["items"]
    )
    show_table(table(("Name", "Kind", "Topic", "State", ">Taken", ">Dead letters", "Trouble"), rows))


def _render_dead(listed: dict[str, Any]) -> None:
    rows = (
        [
            each["dead_letter_id"],
            each["source"],
            _short(each["message_id"]),
            each["received_at"],
            each["cause"],
        ]
        for each in listed["items"]
    )
    show_table(table(("Dead letter", "Source", "Message", "Came", "Cause"), rows))


def _short(message_id: str | None) -> str | None:
    """The beginning of an id that would push the cause out of sight; `letter` and --json have it whole."""
    return f"{message_id[:_SHOWN]}..." if message_id and len(message_id) > _SHOWN + 3 else message_id


def _render_replayed(outcome: dict[str, Any]) -> None:
    say(f"{len(outcome['replayed'])} taken in.")
    for each in outcome["refused"]:
        out.print(f"{each['dead_letter_id']}  {each['cause']}", markup=False)
