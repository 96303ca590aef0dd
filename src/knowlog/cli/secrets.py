"""`knowlog secrets`: what a tenant entrusts, by name."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from knowlog.cli.connection import connect, connect_operator
from knowlog.cli.options import AsJson, Key, OperatorKey, Url
from knowlog.cli.output import emit, out, progress, say, show, table
from knowlog.cli.values import typed_secret
from knowlog.kernel.wording import counted

app = typer.Typer(
    help="Secrets of a tenant, such as providers' keys: list, set, remove, rotate, give up.",
    no_args_is_help=True,
)
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Name = Annotated[str, typer.Argument(help="Name of the secret, such as openai.key.")]


@app.command("list")
def list_secrets(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List names and hints of the tenant's secrets; never their values."""
    with connect(url, key) as client:
        emit(client.get("/v1/secrets"), as_json, _render)


@app.command("set")
def set_secret(name: Name, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Keep a secret, read from standard input: typed unseen, or piped. It cannot be read back.

    It is no argument, because the list of processes and the shell's history show those.
    """
    value = typed_secret('printf %s "$KEY" | knowlog secrets set NAME')
    with connect(url, key) as client:
        made = client.call("PUT", _address(name), value={"value": value})
    emit(made, as_json, lambda each: say(f"{each['name']} is kept."))


@app.command()
def remove(name: Name, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Forget a secret. What uses it stops working."""
    with connect(url, key) as client:
        client.delete(_address(name))
    emit({"removed": name}, as_json, lambda _: say(f"{name} is forgotten."))


@app.command()
def rotate(url: Url = None, operator_key: OperatorKey = None, as_json: AsJson = False) -> None:
    """Wrap every tenant's data key by the current key-encryption key, while everything runs. For the operator.

    Before: put the new key first in KNOWLOG_SECRETS_KEY and restart each process. Afterwards: take the old one out.
    Stopped at any moment, it goes on where it was.
    """
    done = {"rewrapped": 0, "left": 0, "unopened": 0}
    with connect_operator(url, operator_key) as client, progress(as_json) as bar:
        task = bar.add_task("Re-wrapping", total=None, note="")
        while True:
            step = client.call("POST", "/v1/secrets:rotate", repeatable=True)
            done = {**step, "rewrapped": done["rewrapped"] + step["rewrapped"]}
            bar.update(task, completed=done["rewrapped"], total=done["rewrapped"] + done["left"])
            if not step["left"] or not step["rewrapped"]:
                break
    emit(done, as_json, _render_rotation)
    if done["left"]:
        raise typer.Exit(1)


@app.command("give-up")
def give_up(yes: Yes = False, as_json: AsJson = False) -> None:
    """Give up what no key opens any more, where the key of the installation is lost for good. For the operator.

    Run it on the server's machine with the server's settings, with every process stopped: it works on the database
    itself. What the present key opens stays. docs/guide/lost-key.md says what is lost and how to go on.
    """
    from knowlog.cli.lost_key import give_up_here  # with the rooms that it needs

    emit({"given_up": give_up_here(yes)}, as_json, _render_given_up)


def _render_given_up(value: dict[str, Any]) -> None:
    done = value["given_up"]
    if not done:
        say("Nothing is lost: the present key opens all that is stored.")
    for name, count in done.items():
        out.print(f"{name.replace('_', ' '):<18}{count}")


def _render(listed: dict[str, Any]) -> None:
    columns = ("Name", "Ends with", "Changed", "By")
    rows = ([each["name"], each["hint"], each["updated_at"], each["updated_by"]] for each in listed["items"])
    show(table(columns, rows))


def _render_rotation(done: dict[str, Any]) -> None:
    out.print(f"{counted(done['rewrapped'], 'data key')} re-wrapped, {done['left']} left.")
    if done["left"]:
        say(
            f"Error: none of the server's keys opens {counted(done['left'], 'data key')}. Add the key that wrapped them"
            " to KNOWLOG_SECRETS_KEY, behind the current one, and run this again."
        )


def _address(name: str) -> str:
    return f"/v1/secrets/{quote(name, safe='')}"
