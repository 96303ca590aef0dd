"""The HTTP server, as the command line would reach it."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from knowlog.cli.client import Client, Refused
from knowlog.cli.connection import filled, left_address, server_url
from knowlog.cli.credentials import kept_keys
from knowlog.cli.doctor.database import owner_url
from knowlog.cli.doctor.model import Finding, fail, ok, warn
from knowlog.cli.running import is_up
from knowlog.kernel.errors import Unavailable
from knowlog.settings import Settings

_MEANWHILE = {
    "model": "Mend it; meanwhile documents are searched by words.",
    "language_models": "See whether it answers; meanwhile another model does, or quotations. Questions try it again.",
    "dependencies": "See whether it answers; meanwhile what can do without it goes on. The next calls try it again.",
    "questions": "Start more servers (KNOWLOG_API_PROCESSES, or `knowlog serve` on other machines), or limit who asks"
    " most (requests_per_minute). `knowlog_questions_refused` of /metrics shows how many are refused.",
}
"""What to do where a server lacks a part that it can do without, and what becomes of questions meanwhile."""


@dataclass(frozen=True, slots=True)
class Target:
    """The server and the key that the options name; None for those that a command would choose by itself."""

    url: str | None = None
    key: str | None = None


async def check_server(settings: Settings, target: Target) -> AsyncIterator[Finding]:
    """Ask the server whether it is ready, and whether it takes the keys that commands would send."""
    url = server_url(settings, target.url)
    try:
        findings = await asyncio.to_thread(_ready, url, settings.data_dir)
    except Unavailable as error:
        yield _absent(settings, target, url, error)
        return
    keys = _keys(settings, target)
    for finding in [_anothers(url)] if not keys and _is_anothers(settings, target) else findings:
        yield finding
    for name, key, remedy in keys:
        yield await asyncio.to_thread(_key, url, name, key, remedy)


def _absent(settings: Settings, target: Target, url: str, error: Unavailable) -> Finding:
    """A server that should be there does not answer; or none is wanted here."""
    for named, place in ((target.url, "--url"), (os.environ.get("KNOWLOG_URL"), "KNOWLOG_URL")):
        if named:
            return fail("server", error.detail, f"Start the server at {url}, or correct {place}.")
    if is_up(settings.data_dir):
        remedy = f"Wait if it has just been started; else read {settings.data_dir / 'logs' / 'api.log'}."
        return fail("server", f"`knowlog up` runs here, and nothing answers at {url}", remedy)
    if left_address(settings.data_dir):
        return fail("server", f"it was killed, and does not answer at {url}", "Start it again: `knowlog up`.")
    return warn("server", "not running", "`knowlog up` starts it.")


def _is_anothers(settings: Settings, target: Target) -> bool:
    """Whether nobody named the server, and the database of this data directory does not even run."""
    named = target.url or os.environ.get("KNOWLOG_URL") or left_address(settings.data_dir)
    return not named and owner_url(settings) is None


def _anothers(url: str) -> Finding:
    remedy = "Set KNOWLOG_KEY to a key of it, or start your own beside it: `knowlog up --port NUMBER`."
    return warn("server", f"not running; {url} is another installation's", remedy)


def _ready(url: str, data_dir: Path) -> list[Finding]:
    """Whether it serves, and a finding for each part that it does without meanwhile."""
    with Client(url, None, timeout_s=10) as client:
        try:
            checks = client.get("/health/ready")["checks"]
        except Refused as refused:
            checks = refused.problem.get("checks", {})
            wrong = [f"{part}: {said}" for part, said in checks.items() if said != "ok"]
            remedy = (
                f"Mend {', '.join(part for part, said in checks.items() if said != 'ok') or 'the server'};"
            )
            return [
                fail(
                    "server",
                    "; ".join(wrong) or refused.detail,
                    f"{remedy} read {data_dir / 'logs' / 'api.log'}.",
                )
            ]
    lacking = [
        warn(f"server: {part.replace('_', ' ')}", said, _MEANWHILE.get(part, "Mend it."))
        for part, said in checks.items()
        if said != "ok"
    ]
    return [ok("server", f"ready at {url}"), *lacking]


def _keys(settings: Settings, target: Target) -> list[tuple[str, str, str]]:
    """What each key is called, the key, and what to do when it is refused: the one that commands would send."""
    if target.key is not None:
        return [
            (
                "--key",
                filled(target.key, "--key"),
                "Give a key that `knowlog keys list` shows as not revoked.",
            )
        ]
    if (key := os.environ.get("KNOWLOG_KEY")) is not None:
        remedy = "Correct KNOWLOG_KEY, or unset it: commands then use the key that this machine keeps."
        return [("KNOWLOG_KEY", filled(key, "KNOWLOG_KEY"), remedy)]
    return [
        (f"key of {tenant}", kept["key"], f"Ask the operator: `knowlog tenants key {kept['tenant_id']}`.")
        for tenant, kept in kept_keys(settings.data_dir).items()
    ]


def _key(url: str, name: str, key: str, remedy: str) -> Finding:
    with Client(url, key, timeout_s=10) as client:
        try:
            client.get("/v1/collections", limit=1)
        except Refused as refused:
            return fail(name, refused.detail, remedy)
    return ok(name, "valid")
