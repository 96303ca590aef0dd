"""The HTTP server, as the command line would reach it."""

import asyncio
from collections.abc import AsyncIterator

from knowlog.cli.client import Client, Refused
from knowlog.cli.connection import server_url
from knowlog.cli.credentials import kept_keys
from knowlog.cli.doctor.model import Finding, fail, ok, warn
from knowlog.kernel.errors import Unavailable
from knowlog.settings import Settings


async def check_server(settings: Settings) -> AsyncIterator[Finding]:
    """Ask the server whether it is ready, and whether it takes the kept keys."""
    url = server_url(settings)
    try:
        yield await asyncio.to_thread(_ready, url)
    except Unavailable:
        yield warn(
            "server", f"nothing answers at {url}", "`knowlog up` starts it; KNOWLOG_URL says where it is."
        )
        return
    for tenant, kept in kept_keys(settings.data_dir).items():
        yield await asyncio.to_thread(_key, url, tenant, kept["key"])


def _ready(url: str) -> Finding:
    with Client(url, None, timeout_s=10) as client:
        try:
            client.get("/health/ready")
        except Refused as refused:
            wrong = [
                f"{part}: {said}" for part, said in refused.problem.get("checks", {}).items() if said != "ok"
            ]
            return fail(
                "server", "; ".join(wrong) or refused.detail, "Mend the part that is named; see its log."
            )
    return ok("server", f"ready at {url}")


def _key(url: str, tenant: str, key: str) -> Finding:
    with Client(url, key, timeout_s=10) as client:
        try:
            client.get("/v1/collections", limit=1)
        except Refused as refused:
            return fail(f"key of {tenant}", refused.detail, "`knowlog up` makes a new tenant and key.")
    return ok(f"key of {tenant}", "valid")
