"""`knowlog up`: a whole knowlog on this machine."""

import asyncio
import os
from typing import Annotated

import typer
from rich.markup import escape

from knowlog.cli.credentials import Kept
from knowlog.cli.interruptible import Interrupted, run_interruptibly
from knowlog.cli.local_tenant import ensure_tenant
from knowlog.cli.options import AsJson
from knowlog.cli.output import emit, out, say
from knowlog.cli.processes import Stack, open_stack
from knowlog.cli.serve import Host, Port, listen_environment

Demo = Annotated[bool, typer.Option("--demo", help="Also ingest the example documents and ask about them.")]


def up(host: Host = None, port: Port = None, demo: Demo = False, as_json: AsJson = False) -> None:
    """Start PostgreSQL (unless KNOWLOG_DATABASE_URL is set), the HTTP server and a worker; keep them running.

    Prints the address and an API key, which other commands on this machine find by themselves. Ctrl-C stops
    everything.
    """
    if demo:
        from knowlog.cli.demo import run_demo

        return run_demo(host, port, once=False, as_json=as_json)
    try:
        run_interruptibly(_up({**os.environ, **listen_environment(host, port)}, as_json))
    except Interrupted:
        say("Everything is stopped.")
    return None


async def _up(environ: dict[str, str], as_json: bool) -> None:
    say("Starting ...")
    async with open_stack(environ) as stack:
        kept = await asyncio.to_thread(
            ensure_tenant, stack.url, stack.operator_key, stack.settings.data_dir, "default"
        )
        announce(stack, kept, as_json)
        await stack.wait()


def announce(stack: Stack, kept: Kept, as_json: bool) -> None:
    """Print where the server is, where its documentation is, and a key."""
    emit(announcement(stack, kept), as_json, _render)


def announcement(stack: Stack, kept: Kept) -> dict[str, str]:
    """Where the server is, where its documentation is, and a key."""
    return {
        "url": stack.url,
        "docs_url": f"{stack.url}/docs",
        "key": kept["key"],
        "tenant_id": kept["tenant_id"],
        "data_dir": str(stack.settings.data_dir),
    }


def _render(value: dict[str, str]) -> None:
    lines = (
        ("API", value["url"]),
        ("Docs", value["docs_url"]),
        ("Key", value["key"]),
        ("Data", value["data_dir"]),
    )
    for name, text in lines:
        out.print(f"[bold]{name:<5}[/bold]{escape(text)}")
    say("In another terminal: knowlog ingest PATH, then knowlog ask QUESTION. Ctrl-C stops everything.")
