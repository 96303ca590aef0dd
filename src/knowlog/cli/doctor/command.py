"""`knowlog doctor`: what the checks found, for a person."""

import asyncio
from dataclasses import asdict
from typing import Any

import typer

from knowlog.cli.options import AsJson, Key, Url
from knowlog.cli.output import emit, err, say, show, table

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Check every part, and say how to mend what is not in order.

    Exit code 1 when something does not work. A machine on which nothing runs is in order, and told so; a server that
    --url or KNOWLOG_URL names, or that `knowlog up` was running here, must answer.
    """
    from knowlog.cli.doctor.examining import examine  # here, as it loads every part
    from knowlog.cli.doctor.server import Target

    with err.status("Looking at every part ..."):
        findings = asyncio.run(examine(Target(url, key)))
    failed = any(each.outcome == "fail" for each in findings)
    running = any(each.part == "server" and each.outcome == "ok" for each in findings)
    emit(
        {"ok": not failed, "running": running, "checks": [asdict(each) for each in findings]},
        as_json,
        _render,
    )
    if failed:
        raise typer.Exit(1)


def _render(value: dict[str, Any]) -> None:
    rows = ([_mark(each["outcome"]), each["part"], each["found"], each["mend"]] for each in value["checks"])
    grid = table(("", "Part", "Found", "To mend it"), ())
    for row in rows:
        grid.add_row(row[0], *(str(cell).replace("[", "\\[") for cell in row[1:]))
    show(grid)
    say(_verdict([each["outcome"] for each in value["checks"]], value["running"]))


def _verdict(outcomes: list[str], running: bool) -> str:
    if count := outcomes.count("fail"):
        return (
            f"{count} {'part does' if count == 1 else 'parts do'} not work; the last column says what to do."
        )
    if not running:
        return "Nothing is broken. knowlog is not running: `knowlog up` starts it."
    count = outcomes.count("warn")
    return f"Everything works{f', {count} to look after' if count else ''}."


def _mark(outcome: str) -> str:
    return f"[{_COLOURS[outcome]}]{outcome}[/]"
