"""The server process."""

import asyncio
import gc
import math
import socket
import ssl
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from knowlog.api.application import create_api
from knowlog.api.sharing import SharingServer, nothing, shared_listener
from knowlog.bootstrap import open_app, require_key_of_stored, require_safe
from knowlog.edge import ApiSettings, bounded_protocol, set_up_logging, set_up_spans
from knowlog.kernel.errors import Misconfigured
from knowlog.kernel.loops import faster_loop
from knowlog.settings import Settings

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; TLS 1.3 has good ones alone. Older is not spoken.

_GARBAGE = 10_000
"""So many objects are made and not freed before cycles are looked for; looking at 700 costs a busy thread 1.5 %."""

_STAYS_S = 10.0
"""So long a connection stays with one of the servers that share a port; then its client is asked to make another."""


def run_api(settings: Settings, listens: Callable[[], None] = nothing) -> None:
    """Serve until SIGTERM or SIGINT; `listens` is called once connections are taken. Raises Misconfigured, for example
    when the port is taken.
    """
    with asyncio.Runner(loop_factory=faster_loop()) as runner:
        runner.run(run_server(settings, listens))


async def run_server(settings: Settings, listens: Callable[[], None] = nothing) -> None:
    """Serve in a loop that runs already, until SIGTERM or SIGINT. Requests under way are finished first."""
    _check_certificate(settings.api)
    set_up_logging(settings.telemetry)
    set_up_spans(settings.telemetry)
    require_safe(settings)
    shared, listeners = shared_listener(settings.api), _listeners(settings.api)
    try:
        async with open_app(settings) as app:
            await require_key_of_stored(app)
            api = create_api(app)
            gc.freeze()  # what lives as long as the process is not looked through again and again
            gc.set_threshold(_GARBAGE)
            await SharingServer(configuration(api, settings.api), shared, listens).serve(listeners)
            await asyncio.sleep(0)
    finally:
        for listener in listeners:
            listener.close()


def _listeners(settings: ApiSettings) -> list[socket.socket]:
    """Where this server listens alone: at its address, or beside a shared listener at a port of its own."""
    if settings.listener is None:
        return [listen(settings)]
    if settings.own_port is None:
        return []
    return [listen(settings.model_copy(update={"host": "127.0.0.1", "port": settings.own_port}))]


def _check_certificate(settings: ApiSettings) -> None:
    """Raise Misconfigured for a certificate that cannot be used, before anything is started."""
    if settings.tls_certificate is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(
            f"The certificate or its key cannot be used: {error}. Correct KNOWLOG_API_TLS_CERTIFICATE and"
            " KNOWLOG_API_TLS_KEY: PEM files, the key without a password."
        ) from error


def listen(settings: ApiSettings) -> socket.socket:
    """Take the port before anything else is started. Raises Misconfigured when it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise Misconfigured(
            f"Cannot listen on {settings.host}, port {settings.port}: {error.strerror or error}. "
            "Stop what uses the port, or set KNOWLOG_API_PORT or KNOWLOG_API_HOST."
        ) from error
    return listener


def configuration(api: FastAPI, settings: ApiSettings) -> uvicorn.Config:
    """How uvicorn is to serve the application."""
    return uvicorn.Config(
        api,
        http=bounded_protocol(
            settings.max_header_bytes,
            settings.header_timeout_s,
            _STAYS_S if settings.ports_beside else math.inf,
            api.state.connections,
            api.state.early,
        ),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        ssl_ciphers=_CIPHERS,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=settings.shutdown_grace_s,
    )
