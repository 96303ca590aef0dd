"""Every way in knows for whom it works: commands, handlers of jobs, sockets, and whoever looks across tenants.

Routes have a test file of their own.
"""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, SimpleNamespace
from typing import Any

import pytest
import typer

from knowlog.api import application, server
from knowlog.bus import QUEUES
from knowlog.cli import connection
from knowlog.cli.app import app
from knowlog.database import Database
from knowlog.edge import ApiSettings
from knowlog.ingestion import Indexer

SOURCE = Path(application.__file__).parents[1]
LOCAL = {
    "up": "starts the processes", "serve": "is a process", "worker": "is a process", "demo": "makes a tenant of its own",
    "doctor": "looks at this machine", "config": "prints settings", "bench": "measures throw-away installations",
    "chunk": "reads a file of this machine and shows it here",
    **dict.fromkeys(
        ("sessions accept", "sessions sign-in", "sessions refresh", "sessions forgot", "sessions reset-password"),
        "sends what becomes a credential: a password, a refresh token, the secret of a mailed link",
    ),
    "tenants import": "writes into the database that this machine's settings name",
    "secrets give-up": "writes into that database where no server can start",
}  # fmt: skip
"""Commands that call no server with a credential, and why."""
ACROSS = {
    "api/secrets.py",
    "api/health.py",
    "api/lives.py",
    "archives",
    "bus",
    "database",
    "edge",
    "ingestion",
    "sources",
    "stores",
    "tenants",
    "workers",
}
"""Rooms that may call the functions which look across tenants. Of those that answer requests, none may."""
PLAIN = {"claimed[0]", "OPERATORS_CHAIN", "UUID(int=0)"}
"""Tenants by another name: that of a row that was claimed, and nobody's."""


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield every command with its name, but those of the benchmarks."""
    if not hasattr(command, "list_commands"):
        yield " ".join(path), command
        return
    for name in command.list_commands(None):
        if (*path, name) != ("bench",):
            yield from commands(command.get_command(None, name), (*path, name))


def reached(function: Any, seen: set[object]) -> set[object]:
    """Every function of ours that a function may call, as far as names tell."""
    function = inspect.unwrap(function)
    if function in seen or not isinstance(function, FunctionType):
        return seen
    seen.add(function)
    for name in _names(function.__code__):
        found = function.__globals__.get(name)
        if isinstance(found, FunctionType) and found.__module__.startswith("knowlog.cli"):
            reached(found, seen)
    return seen


def _names(code: CodeType) -> set[str]:
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(_names, inner))


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_calls_with_a_key_or_says_why_not(name: str) -> None:
    """It goes through `connect` or `connect_operator`, so that the server decides what it may do."""
    through = {connection.connect, connection.connect_operator} & reached(COMMANDS[name].callback, set())
    assert bool(through) != bool({name, name.split()[0]} & LOCAL.keys()), (
        "connect with a key, or say in LOCAL why not"
    )


def test_every_kind_of_work_has_a_handler_that_is_told_the_tenant() -> None:
    """Its events carry the tenant, and nothing else does."""
    from knowlog.workers.handlers import handlers_of

    handlers = handlers_of(_anything())
    assert set(handlers) == set(QUEUES)
    for handler in handlers.values():
        assert list(inspect.signature(handler).parameters)[-2:] == ["worker", "events"]


def test_a_scope_names_the_tenant_that_came_with_the_work() -> None:
    """Never one out of a body, a header or a setting: the first argument is somebody's tenant."""
    odd = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"Scope", "DatabaseScope"}:
                first = ast.unparse(node.args[0] if node.args else node.keywords[0].value)
                if "tenant" not in first and first not in PLAIN:
                    odd.append(f"{path.relative_to(SOURCE)}: {first}")
    assert [each for each in odd if not each.startswith("cli/bench/")] == []


def test_only_known_places_look_across_tenants() -> None:
    """A call of `Database.system` or `.owner` elsewhere fails here."""
    found = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"system", "owner"}
        and not node.args
    }  # fmt: skip
    assert [place for place in found if not {place, place.split("/")[0], "cli/bench"} & _allowed(place)] == []


def test_the_mover_alone_reads_and_writes_rows_as_they_are() -> None:
    """Without triggers and foreign keys, of all tenants."""
    found = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"raw_session", "mover_session"}
    }
    assert found == {"database/copying.py", "tenants/moving.py"}


def _allowed(place: str) -> set[str]:
    return ACROSS | ({"cli/bench"} if place.startswith("cli/bench/") else set())


def test_a_transaction_cannot_be_had_without_a_scope() -> None:
    """Jobs, streams and shells go through it like requests."""
    for way in (Database.transaction, Database.snapshot):
        parameters = inspect.signature(way).parameters
        assert parameters["scope"].default is inspect.Parameter.empty


def test_no_socket_is_served() -> None:
    """The server speaks HTTP alone, and streams are routes."""
    api: Any = SimpleNamespace(state=SimpleNamespace(connections=None, early=None))
    assert server.configuration(api, ApiSettings()).ws == "none"


class _anything:  # noqa: N801 - stands for an App of which nothing is used yet
    """Gives whatever is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return object.__new__(Indexer) if name == "indexer" else _anything()

    def __call__(self, *_: object, **__: object) -> Any:
        return _anything()
