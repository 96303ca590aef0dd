"""`knowlog performance`: how fast the tenant is served, and how the models that answers rest on stand."""

from typing import Any

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Url
from knowlog.cli.output import emit, say, show, table


def performance(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show questions and jobs of the last hour, minute by minute, and the models that are asked over the network."""
    with connect(url, key) as client:
        found = {**client.get("/v1/performance"), "dependencies": client.get("/v1/dependencies")["items"]}
    emit(found, as_json, _render)


def _render(value: dict[str, Any]) -> None:
    columns = ("Minute", "What", ">Done", ">Failed", ">p50 ms", ">p95 ms")
    rows = [[*_of("questions", each), each["questions"], *_rest(each)] for each in value["questions"]]
    rows += [[*_of("jobs", each), each["done"], *_rest(each)] for each in value["jobs"]]
    if rows:
        show(table(columns, rows))
    else:
        say("Nothing was asked or done in the last hour.")
    if value["dependencies"]:
        states = ([each["name"], each["state"], f"{each['bad_share']:.0%}"] for each in value["dependencies"])
        show(table(("Asked over the network", "State", ">Bad calls"), states))


def _of(what: str, minute: dict[str, Any]) -> list[str]:
    return [minute["at"][11:16], what]


def _rest(minute: dict[str, Any]) -> list[Any]:
    return [minute["failed"], minute["p50_ms"], minute["p95_ms"]]
