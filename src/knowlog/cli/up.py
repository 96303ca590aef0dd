"""`knowlog up`: a whole knowlog on this machine."""

import asyncio
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from knowlog.cli.credentials import Kept, kept_keys
from knowlog.cli.interruptible import Interrupted, run_interruptibly
from knowlog.cli.local_tenant import ensure_tenant
from knowlog.cli.options import AsJson
from knowlog.cli.output import emit, out, say
from knowlog.cli.running import noted
from knowlog.cli.serve import Host, Port, listen_environment

if TYPE_CHECKING:
    from knowlog.cli.processes import Stack

Demo = Annotated[bool, typer.Option("--demo", help="Also ingest the example documents and ask about them.")]


def up(host: Host = None, port: Port = None, demo: Demo = False, as_json: AsJson = False) -> None:
    """Start PostgreSQL (unless KNOWLOG_DATABASE_URL is set), the HTTP server and a worker; keep them running.

    Prints the address, the tenant and its API key, which this user's other commands on this machine find by themselves,
    in any folder. Ctrl-C stops everything.
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
    from knowlog.cli.processes import open_stack

    say("Starting ...")
    async with open_stack(environ) as stack:
        kept = await asyncio.to_thread(ensure_tenant, stack.url, stack.operator_key, stack.settings.data_dir)
        with noted(stack.settings.data_dir):
            announce(stack, kept, as_json)
            await stack.wait()


def announce(stack: "Stack", kept: Kept, as_json: bool) -> None:
    """Print where the server is, where its documentation is, and a key."""
    emit(announcement(stack, kept), as_json, _render)
    others = [name for name in kept_keys(stack.settings.data_dir) if name != kept["tenant"]]
    if others:
        say(
            f"Commands use the tenant {kept['tenant']}. Keys of {', '.join(others)} are kept too, in"
            f" {stack.settings.data_dir / 'credentials.json'}: choose one with --key or KNOWLOG_KEY."
        )


def announcement(stack: "Stack", kept: Kept) -> dict[str, str]:
    """Where the server is, where its documentation is, and a key."""
    return {
        "url": stack.url,
        "docs_url": f"{stack.url}/docs",
        "key": kept["key"],
        "tenant": kept["tenant"],
        "tenant_id": kept["tenant_id"],
        "data_dir": str(stack.settings.data_dir),
    }


def _render(value: dict[str, str]) -> None:
    lines = (
        ("API", value["url"]),
        ("Docs", value["docs_url"]),
        ("Tenant", value["tenant"]),
        ("Key", value["key"]),
        ("Data", value["data_dir"]),
    )
    for name, text in lines:
        out.print(f"[bold]{name:<7}[/bold]{escape(text)}")
    command = as_typed()
    say(f"Open {value['url']} in a browser and sign in with the key.")
    say(
        f"Or in another terminal: {command} ingest PATH, then {command} ask QUESTION. Ctrl-C stops everything."
    )


def as_typed() -> str:
    """How a person calls this very knowlog in a terminal: by name where that finds it, else by its path."""
    script = Path(sys.executable).with_name("knowlog")
    found = shutil.which("knowlog")
    if found and script.exists() and Path(found).samefile(script):
        return "knowlog"
    return shlex.quote(str(script)) if script.exists() else f"{shlex.quote(sys.executable)} -m knowlog"
