"""`knowlog events` as a person and as a program use it, against a real server."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from api_scene import Client

from knowlog.bootstrap import App
from knowlog.bus import append_events
from knowlog.database import Scope
from knowlog.kernel import new_id

Command = Callable[..., Coroutine[Any, Any, asyncio.subprocess.Process]]


@pytest.fixture
def command(address: str, alice: Client, tmp_path: Any) -> Command:
    """Start `knowlog events ...` with Alice's key."""

    async def start(*arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "knowlog", "events", *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={
                "PATH": "/usr/bin:/bin", "KNOWLOG_DATA_DIR": str(tmp_path), "KNOWLOG_URL": address,
                "KNOWLOG_KEY": alice.headers["authorization"].removeprefix("Bearer "),
            },
        )  # fmt: skip

    return start


async def run(command: Command, *arguments: str) -> tuple[int | None, str, str]:
    """Run to the end: exit code, stdout, stderr."""
    process = await command(*arguments)
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, output.decode(), errors.decode()


async def happened(app: App, scope: Scope) -> str:
    """Write one event; returns its id."""
    data = {"version": 1, "reason": "A [red]cross[/red] \x1b[2J was on it."}
    async with app.database.transaction(scope) as connection:
        return str((await append_events(connection, "document.failed", [(new_id(), data)]))[0])


async def test_events_are_listed_for_a_person(app: App, tenant: Scope, command: Command) -> None:
    """A table with type and data; what they hold does not steer the terminal."""
    event = await happened(app, tenant)
    code, shown, _ = await run(command, "list", "--type", "document.failed")
    assert code == 0
    assert "document.failed" in shown
    assert r"A [red]cross[/red] \x1b[2J was on it." in shown
    assert "\x1b" not in shown
    assert event in shown


async def test_events_are_listed_for_a_program(app: App, tenant: Scope, command: Command) -> None:
    """One JSON value; oldest first and behind a cursor if wanted."""
    written = [await happened(app, tenant), await happened(app, tenant)]
    _, shown, _ = await run(command, "list", "--oldest", "--json")
    items = json.loads(shown)["items"]
    assert [each["id"] for each in items] == written
    _, shown, _ = await run(command, "list", "--oldest", "--since", items[0]["cursor"], "--json")
    assert [each["id"] for each in json.loads(shown)["items"]] == written[1:]


async def test_one_event_is_shown(app: App, tenant: Scope, command: Command) -> None:
    """With its data; one that is not there is an error with a sentence."""
    event = await happened(app, tenant)
    code, shown, _ = await run(command, "show", event)
    assert code == 0
    assert "urn:knowlog:event:document.failed:1" in shown
    code, _, told = await run(command, "show", str(new_id()))
    assert (code, told.strip()) == (
        1,
        "Error: There is no such event. `GET /v1/events` lists them, as `knowlog events list` does.",
    )


async def test_tail_prints_a_line_of_json_for_each_event(app: App, tenant: Scope, command: Command) -> None:
    """From where it is told, at once, and ends after as many as wanted."""
    first = await happened(app, tenant)
    process = await command("tail", "--since", "beginning", "--limit", "2", "--json")
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 30)
    assert json.loads(line)["id"] == first
    second = await happened(app, tenant)
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    assert json.loads(line)["id"] == second
    assert await asyncio.wait_for(process.wait(), 60) == 0


async def test_a_misspelt_type_is_refused(command: Command) -> None:
    """By the server's own sentence, which names what there is."""
    for verb in ("list", "tail"):
        code, _, told = await run(command, verb, "--type", "document.exploded")
        assert code == 1
        assert "document.received" in told
