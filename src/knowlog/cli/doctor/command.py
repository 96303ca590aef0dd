"""Run every check and show what they found."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any

import typer

from knowlog.cli.doctor.database import check_database
from knowlog.cli.doctor.embeddings import check_embeddings
from knowlog.cli.doctor.machine import check_machine
from knowlog.cli.doctor.model import Finding, fail, ok
from knowlog.cli.doctor.parts import check_blobs, check_model, check_parser
from knowlog.cli.doctor.server import check_server
from knowlog.cli.options import AsJson
from knowlog.cli.output import emit, err, out, table
from knowlog.kernel.errors import KnowlogError, Misconfigured
from knowlog.settings import Settings, load_settings

Check = Callable[[Settings], AsyncIterator[Finding]]
CHECKS: tuple[tuple[str, Check], ...] = (
    ("machine", check_machine),
    ("database", check_database),
    ("embedding model", check_model),
    ("embeddings", check_embeddings),
    ("parser", check_parser),
    ("blob store", check_blobs),
    ("server", check_server),
)
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(as_json: AsJson = False) -> None:
    """Check every part, and say how to mend what is not in order.

    Exit code 1 when something does not work.
    """
    with err.status("Looking at every part ..."):
        findings = asyncio.run(examine())
    failed = any(each.outcome == "fail" for each in findings)
    emit({"ok": not failed, "checks": [asdict(each) for each in findings]}, as_json, _render)
    if failed:
        raise typer.Exit(1)


async def examine() -> list[Finding]:
    """Run every check. One that breaks off is a finding too."""
    try:
        settings = load_settings()
    except Misconfigured as error:
        return [fail("settings", error.detail, "Correct the variable.")]
    findings = [
        ok("settings", f"{len(settings.sources)} set, the rest at its default; `knowlog config` shows them")
    ]
    for part, check in CHECKS:
        try:
            findings += [finding async for finding in check(settings)]
        except KnowlogError as error:
            findings.append(fail(part, error.detail, "Do what the sentence says."))
        except Exception as error:
            findings.append(
                fail(part, f"{type(error).__name__}: {error}", "This is a fault of knowlog; report it.")
            )
    return findings


def _render(value: dict[str, Any]) -> None:
    rows = ([_mark(each["outcome"]), each["part"], each["found"], each["mend"]] for each in value["checks"])
    grid = table(("", "Part", "Found", "To mend it"), ())
    for row in rows:
        grid.add_row(row[0], *(str(cell).replace("[", "\\[") for cell in row[1:]))
    out.print(grid)


def _mark(outcome: str) -> str:
    return f"[{_COLOURS[outcome]}]{outcome}[/]"
