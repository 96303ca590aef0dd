"""`knowlog language-model`: the model that a tenant entrusts for its own questions."""

from typing import Annotated, Any

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Url
from knowlog.cli.output import emit, out, say
from knowlog.cli.values import typed_secret

app = typer.Typer(
    help="A language model of your tenant's own: set, show, check, remove.", no_args_is_help=True
)
_PATH = "/v1/language-model"
Model = Annotated[
    str, typer.Argument(help="openai:NAME, of any endpoint that speaks OpenAI's chat completions.")
]
Endpoint = Annotated[
    str, typer.Option("--endpoint", help="Its base address, such as https://api.openai.com/v1.")
]
NoKey = Annotated[bool, typer.Option("--no-key", help="The endpoint needs no key; none is read.")]
Alone = Annotated[
    bool, typer.Option("--alone", help="Where it does not answer, ask no model of the operator's.")
]


@app.command("set")
def set_model(
    model: Model,
    endpoint: Endpoint,
    no_key: NoKey = False,
    alone: Alone = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Entrust a model that answers your tenant's questions first.

    Its key is read from standard input, typed unseen or piped: a list of processes and a shell's history show arguments.
    """
    secret = (
        None if no_key else typed_secret('printf %s "$KEY" | knowlog language-model set MODEL --endpoint URL')
    )
    value = {"model": model, "url": endpoint, "api_key": secret, "alone": alone}
    with connect(url, key) as client:
        made = client.call("PUT", _PATH, value=value)
    emit(made, as_json, lambda each: say(f"{each['model']} is asked first from now on."))


@app.command()
def show(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show the model, where it is asked, and how it stands; never its key."""
    with connect(url, key) as client:
        emit(client.get(_PATH), as_json, _render)


@app.command()
def check(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Ask it for one word. Ends with 1 where it does not answer."""
    with connect(url, key) as client:
        found = client.call("POST", f"{_PATH}:check")
    emit(found, as_json, lambda each: out.print(each["told"], markup=False))
    if not found["answers"]:
        raise typer.Exit(1)


@app.command()
def remove(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Forget the model and its key."""
    with connect(url, key) as client:
        client.delete(_PATH)
    emit({"removed": True}, as_json, lambda _: say("It is forgotten."))


def _render(found: dict[str, Any]) -> None:
    told = {
        "Model": found["model"], "Endpoint": found["url"], "Key ends with": found["hint"] or "-", "State": found["state"],
        "Alone": "yes" if found["alone"] else "no", "Changed": f"{found['changed_at']} by {found['changed_by']}",
    }  # fmt: skip
    for name, value in told.items():
        out.print(f"{name:<14}{value}", markup=False)
