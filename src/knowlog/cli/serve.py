"""`knowlog serve`: one HTTP server process."""

import os
import signal
from types import FrameType
from typing import Annotated

import typer

from knowlog.cli.connection import local_url
from knowlog.cli.options import AsJson
from knowlog.cli.output import emit, say
from knowlog.cli.registry import process
from knowlog.settings import load_settings

Host = Annotated[str | None, typer.Option("--host", help="Address to listen on. [default: KNOWLOG_API_HOST]")]
Port = Annotated[
    int | None, typer.Option("--port", "-p", help="Port to listen on. [default: KNOWLOG_API_PORT]")
]


def serve(host: Host = None, port: Port = None, as_json: AsJson = False) -> None:
    """Run one HTTP server process, and nothing else. Workers run beside it with `knowlog worker`.

    Without KNOWLOG_DATABASE_URL it starts the embedded PostgreSQL where none runs. Of such servers and workers the last
    to end stops it.
    """
    from knowlog.bootstrap import require_safe
    from knowlog.cli.processes import own_database, require_port

    settings = load_settings({**os.environ, **listen_environment(host, port)})
    require_safe(settings)
    if settings.api.port and settings.api.listener is None:
        require_port(settings.api.host, settings.api.port)
    url = local_url(settings.api.host, settings.api.port)
    if settings.api.tls_certificate is not None:
        url = url.replace("http://", "https://", 1)

    def tell() -> None:
        emit({"url": url, "docs_url": f"{url}/docs"}, as_json, lambda value: say(f"Serving {value['url']}"))

    signal.signal(signal.SIGTERM, _end)
    with own_database(settings):
        process("serve")(settings, tell)


def _end(_number: int, _frame: FrameType | None) -> None:
    """End in order: uvicorn sends its own process the signal again once it has finished, which would kill it here."""
    raise SystemExit(0)


def listen_environment(host: str | None, port: int | None) -> dict[str, str]:
    """The options as the settings they stand for."""
    given = {"KNOWLOG_API_HOST": host, "KNOWLOG_API_PORT": None if port is None else str(port)}
    return {name: value for name, value in given.items() if value is not None}
