"""Run every check and show what they found."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any

import typer

from knowlog.cli.doctor.broker import check_broker
from knowlog.cli.doctor.database import check_database
from knowlog.cli.doctor.embeddings import check_embeddings
from knowlog.cli.doctor.machine import check_machine
from knowlog.cli.doctor.model import Finding, fail, ok
from knowlog.cli.doctor.parts import check_blobs, check_model, check_parser
from knowlog.cli.doctor.server import Target, check_server
from knowlog.cli.doctor.sources import check_sources
from knowlog.cli.options import AsJson, Key, Url
from knowlog.cli.output import emit, err, say, show, table
from knowlog.kernel.errors import KnowlogError, Misconfigured
from knowlog.settings import Settings, load_settings

Check = Callable[[Settings], AsyncIterator[Finding]]
CHECKS: tuple[tuple[str, Check, str], ...] = (
    ("machine", check_machine, "Set KNOWLOG_DATA_DIR to a folder that this user may write."),
    ("database", check_database, "Start PostgreSQL, or correct KNOWLOG_DATABASE_URL; then run this again."),
    ("broker", check_broker, "Start the broker, or correct KNOWLOG_BUS_BROKER and KNOWLOG_BUS_URL."),
    ("sources", check_sources, "Start PostgreSQL, or correct the KNOWLOG_SOURCES_ settings."),
    (
        "embedding model",
        check_model,
        "Correct the KNOWLOG_EMBEDDING_ settings that `knowlog config` shows; then run this again.",
    ),
    (
        "embeddings",
        check_embeddings,
        "Start PostgreSQL and correct the KNOWLOG_EMBEDDING_ settings; then run this again.",
    ),
    ("parser", check_parser, "Install knowlog again; its readers of files do not start."),
    ("blob store", check_blobs, "Correct KNOWLOG_DOCUMENTS_BLOBS, or make that place writable."),
)
"""Part, check, and what to do when the check breaks off."""
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Check every part, and say how to mend what is not in order.

    Exit code 1 when something does not work. A machine on which nothing runs is in order, and told so; a server that
    --url or KNOWLOG_URL names, or that `knowlog up` was running here, must answer.
    """
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


async def examine(target: Target) -> list[Finding]:
    """Run every check. One that breaks off is a finding too."""
    try:
        settings = load_settings()
    except Misconfigured as error:
        named = re.search(r"KNOWLOG_\w+", error.detail)
        return [fail("settings", error.detail, f"Correct or unset {named[0] if named else 'it'}.")]
    findings = [
        ok("settings", f"{len(settings.origins)} set, the rest at its default; `knowlog config` shows them")
    ]
    for part, check, remedy in CHECKS:
        findings += await _found(part, check(settings), remedy)
    address = "Start it with `knowlog up`, or correct --url and KNOWLOG_URL."
    return findings + await _found("server", check_server(settings, target), address)


async def _found(part: str, check: AsyncIterator[Finding], remedy: str) -> list[Finding]:
    findings = []
    try:
        async for finding in check:
            findings.append(finding)
    except KnowlogError as error:
        findings.append(fail(part, error.detail, remedy))
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        findings.append(
            fail(part, said, "Report these words and what `knowlog config` prints as a fault of knowlog.")
        )
    return findings


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
