"""`knowlog webhooks`: where the tenant's events are sent."""

import time
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Collections, Key, Limit, Url
from knowlog.cli.output import emit, emit_list, out, say, show_fields, table, tell
from knowlog.cli.output import show as show_table
from knowlog.cli.values import address, an_id
from knowlog.kernel.errors import Invalid

if TYPE_CHECKING:
    from knowlog.cli.client import Client

app = typer.Typer(
    help="Webhooks: create, list, show, update, delete, rotate, test, deliveries, replay.",
    no_args_is_help=True,
)
_address = partial(address, "webhooks")
_PATIENCE_S = 40
_PAUSE_S = 0.3

Id = Annotated[str, typer.Argument(help="The webhook's id, as `knowlog webhooks list` shows it.")]
Types = Annotated[
    list[str] | None,
    typer.Option("--type", "-t", help="Only this type, such as document.indexed; may be given more than once."),
]  # fmt: skip
Description = Annotated[str | None, typer.Option("--description", "-d", help="What it is for.")]
State = Literal["waiting", "running", "done", "failed", "cancelled"]


@app.command("list")
def list_webhooks(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the tenant's webhooks."""
    with connect(url, key) as client:
        found = client.get("/v1/webhooks")["items"]
    emit({"items": found}, as_json, _render)


@app.command()
def create(
    endpoint: Annotated[str, typer.Argument(help="Address to which events are posted, as https://...")],
    types: Types = None,
    collection: Collections = None,
    description: Description = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Create a webhook. Its secret, with which deliveries are signed, is shown once, now."""
    wanted = {"url": endpoint, "types": types, "collections": collection, "description": description}
    with connect(url, key) as client:
        made = client.post("/v1/webhooks", {name: each for name, each in wanted.items() if each})
    emit(made, as_json, _tell_secret)


@app.command()
def show(webhook: Id, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show a webhook, and how its deliveries go."""
    with connect(url, key) as client:
        emit(client.get(_address(webhook)), as_json, show_fields)


@app.command()
def update(
    webhook: Id,
    endpoint: Annotated[str | None, typer.Option("--endpoint", help="Another address.")] = None,
    types: Types = None,
    description: Description = None,
    active: Annotated[
        bool | None, typer.Option("--active/--disabled", help="Send to it, or stop sending.")
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Change a webhook. One that is made active again gets what happens from then on; `replay` sends what it missed."""
    state = None if active is None else "active" if active else "disabled"
    wanted = {"url": endpoint, "types": types, "description": description, "state": state}
    change = {name: each for name, each in wanted.items() if each is not None}
    if not change:
        raise typer.BadParameter(
            "Nothing is to be changed. Give --endpoint, --type, --description, --active or --disabled."
        )
    with connect(url, key) as client:
        emit(client.call("PATCH", _address(webhook), value=change), as_json, show_fields)


@app.command()
def delete(webhook: Id, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Delete a webhook. What was still to be delivered is cancelled."""
    with connect(url, key) as client:
        client.delete(_address(webhook))
    emit({"deleted": webhook}, as_json, lambda _: say(f"Webhook {webhook} is deleted."))


@app.command()
def rotate(webhook: Id, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Give a webhook a new secret, shown once, now. For 24 hours deliveries are signed with both."""
    with connect(url, key) as client:
        emit(client.post(f"{_address(webhook)}:rotate"), as_json, _tell_secret)


@app.command("test")
def try_out(webhook: Id, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Send an event `webhook.tested` to a webhook, and tell how that went. Exit code 1 when it was not delivered."""
    with connect(url, key) as client:
        delivery = _awaited(client, webhook, client.post(f"{_address(webhook)}:test"))
    emit(delivery, as_json, _tell_delivery)
    if delivery["state"] != "done":
        raise typer.Exit(1)


@app.command()
def deliveries(
    webhook: Id,
    state: Annotated[State | None, typer.Option("--state", "-s", help="Only those in this state.")] = None,
    limit: Limit = 50,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List the deliveries of a webhook, newest first."""
    with connect(url, key) as client:
        found = client.listed(f"{_address(webhook)}/deliveries", limit, state=state)
    emit_list(found, as_json, _render_deliveries)


@app.command()
def replay(
    webhook: Id,
    delivery: Annotated[str | None, typer.Argument(help="One delivery, as `deliveries` shows it.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="All since then, as 2027-01-31T00:00:00Z.")
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Send one event again, or all that happened since a moment. The ids, and so webhook-id, stay the same."""
    if (delivery is None) == (since is None):
        raise Invalid("Name a delivery, or give --since.")
    path = _address(webhook)
    if delivery is not None:
        delivery = an_id(delivery, "a delivery", f"knowlog webhooks deliveries {webhook}")
    with connect(url, key) as client:
        if delivery is not None:
            done = client.post(f"{path}/deliveries/{delivery}:replay")
        else:
            done = client.post(f"{path}:replay", {"since": since})
    emit(done, as_json, lambda _: say("It is on its way; `knowlog webhooks deliveries` tells how it goes."))


def _awaited(client: "Client", webhook: str, delivery: dict[str, Any]) -> dict[str, Any]:
    """Wait until a first attempt was made."""
    tell("Waiting for the endpoint ...")
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if delivery["finished_at"] or (delivery["state"] == "waiting" and delivery["reason"]):
            break
        time.sleep(_PAUSE_S)
        delivery = client.get(f"{_address(webhook)}/deliveries/{delivery['delivery_id']}")
    return delivery


def _tell_secret(made: dict[str, Any]) -> None:
    say(f"Webhook {made['webhook']['endpoint_id']}. Keep its secret; it is not shown again.")
    out.print(made["secret"], markup=False)


def _tell_delivery(delivery: dict[str, Any]) -> None:
    if delivery["state"] == "done":
        out.print("It was delivered.")
    else:
        out.print(delivery["reason"] or "No worker has sent it yet. Start `knowlog worker`.", markup=False)


def _render(listed: dict[str, Any]) -> None:
    columns = ("Webhook", "Address", "Types", "State", "Failures", "Delivered", "Reason")
    rows = (
        [
            each["endpoint_id"],
            each["url"],
            each["types"],
            "failing" if each["state"] == "active" and each["failing_since"] else each["state"],
            each["failures"],
            each["delivered_at"] or "never",
            each["reason"],
        ]
        for each in listed["items"]
    )
    show_table(table(columns, rows))


def _render_deliveries(listed: dict[str, Any]) -> None:
    rows = (
        [
            each["delivery_id"],
            each["event_type"],
            each["state"],
            each["attempts"],
            each["created_at"],
            each["reason"],
        ]
        for each in listed["items"]
    )
    show_table(table(("Delivery", "Event", "State", "Attempts", "When", "Reason"), rows))
