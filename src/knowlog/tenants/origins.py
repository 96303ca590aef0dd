"""Whose pages in a browser may call the API for a tenant (CORS): exact origins, never a pattern."""

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from knowlog.database import Connection, load_queries
from knowlog.kernel.errors import Invalid, NotFound
from knowlog.tenants.model import Principal

_SQL = load_queries("knowlog.tenants", "addresses.sql")
_HOST = re.compile(r"[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\]")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_AT_HOME = frozenset(("localhost", "127.0.0.1", "[::1]"))
_MOST = 100


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of pages that may call."""

    origin: str
    created_at: datetime
    created_by: str


def clean_origin(origin: str) -> str:
    """Return an origin as browsers send it. Raises Invalid for a pattern, a path, or http but for this machine."""
    refused = Invalid(
        "An origin is scheme, host and port, such as https://app.example.com or http://localhost:3000: no path, no"
        " pattern, and https unless it is on your own machine."
    )
    try:
        parts = urlsplit(origin.strip().lower())
        port, host = parts.port, parts.netloc.rpartition("@")[2]
    except ValueError as error:
        raise refused from error
    host = host.removesuffix(f":{port}") if port is not None else host
    plain = parts.path in {"", "/"} and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in _DEFAULT_PORTS or not plain or not _HOST.fullmatch(host):
        raise refused
    if parts.scheme == "http" and host not in _AT_HOME:
        raise refused
    named = "" if port is None or port == _DEFAULT_PORTS[parts.scheme] else f":{port}"
    return f"{parts.scheme}://{host}{named}"


async def add_origin(connection: Connection, creator: Principal, origin: str) -> Origin:
    """Let pages of this origin call. Raises Invalid."""
    cleaned = clean_origin(origin)
    if await connection.fetchval(_SQL["count_origins"], cleaned) >= _MOST:
        raise Invalid(f"A tenant has at most {_MOST} origins. Delete one that is not needed.")
    return Origin(**await connection.fetchrow(_SQL["insert_origin"], cleaned, creator.scope.principal))


async def list_origins(connection: Connection) -> list[Origin]:
    """List the origins whose pages may call."""
    return [Origin(**row) for row in await connection.fetch(_SQL["list_origins"])]


async def is_listed(connection: Connection, origin: str) -> bool:
    """Say whether pages of exactly this origin may call."""
    return bool(await connection.fetchval(_SQL["is_listed"], origin))


async def delete_origin(connection: Connection, origin: str) -> None:
    """Let pages of this origin call no longer. Raises NotFound."""
    if await connection.fetchval(_SQL["delete_origin"], clean_origin(origin)) is None:
        raise NotFound("This origin is not listed. `knowlog origins list` shows those that are.")
