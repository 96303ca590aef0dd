"""Nothing that changes something can forget the audit log."""

import ast
import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from knowlog.api.application import ROUTERS
from knowlog.api.recorded import NOT_RECORDED, RECORDED
from knowlog.archives import LEFT_OUT, TABLES
from knowlog.tenants import ACTIONS

ROOT = Path(__file__).parents[2]
CHANGING = sorted(
    f"{method} {route.path}"
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods - {"GET", "HEAD", "OPTIONS"}
)
OPEN_THE_DATABASE = {
    "cli/lost_key.py": "runs where no server can start, and records secrets.given_up itself",
    "cli/archives.py": "bringing a tenant in records tenant.imported itself",
}
"""Commands that reach the database without a server, and why they need not be recorded. Doctor only reads, benchmarks
make tenants of their own.
"""


@pytest.mark.parametrize("route", CHANGING)
def test_what_changes_something_is_recorded(route: str) -> None:
    """A route names the action that it records, or the reason why it records none (knowlog/api/recorded.py)."""
    assert (route in RECORDED) != (route in NOT_RECORDED), (
        "Call knowlog.tenants.record in the handler's transaction and name the action in knowlog/api/recorded.py,"
        " or give the reason there why nothing is recorded."
    )


def test_the_tables_name_routes_that_are_there() -> None:
    """And actions that the audit log knows; each exemption has a reason."""
    assert {*RECORDED, *NOT_RECORDED} <= set(CHANGING)
    assert set(RECORDED.values()) <= set(ACTIONS)
    assert all(len(reason) > 20 for reason in NOT_RECORDED.values())


def test_every_action_is_documented() -> None:
    """The guide lists each, with what it means."""
    page = (ROOT / "docs" / "guide" / "audit.md").read_text()
    assert [name for name, meaning in ACTIONS.items() if f"| `{name}` | {meaning} |" not in page] == []


def test_commands_change_things_through_the_api_alone() -> None:
    """So that the API's records are all there is: a command that opens the database itself is listed here."""
    found = set()
    for path in (ROOT / "src/knowlog/cli").rglob("*.py"):
        names = {
            each.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom)
            for each in node.names
        }
        if names & {"open_app", "open_database", "connect_database"} and not {"bench", "doctor"} & {
            *path.parts
        }:
            found.add(str(path.relative_to(ROOT / "src/knowlog")))
    assert found <= set(OPEN_THE_DATABASE)


def test_every_table_of_a_tenant_is_exported_or_left_out_for_a_reason() -> None:
    """A new table must be named in knowlog/archives/contents.py: an archive that forgets it loses what is in it."""
    made = set()
    for path in (ROOT / "src/knowlog/database/migrations").glob("*.sql"):
        made |= set(
            re.findall(r"create (?:unlogged )?table (?:if not exists )?knowlog\.(\w+)", path.read_text())
        )
    named = {table.name for table in TABLES} | set(LEFT_OUT)
    assert made - {"migrations"} == named, (
        "Name the table in knowlog/archives/contents.py: in TABLES (say whether its rows come back, and which columns are"
        " secrets that stay behind), or in LEFT_OUT with the reason."
    )
