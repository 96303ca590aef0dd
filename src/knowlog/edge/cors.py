"""Pages of other origins: which may call, by tenant (the Fetch standard's CORS protocol).

A preflight carries no credential. It is answered alike for every path, whether or not something is there, and says no
more than that a call may be tried; the call itself is refused unless its tenant lists the origin. Only where the
address names the tenant does the preflight follow that tenant's list, and only such origins may send cookies.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit
from uuid import UUID

from starlette.responses import Response
from starlette.types import Scope

from knowlog.database import Database
from knowlog.database import Scope as DatabaseScope
from knowlog.edge.hints import Hint, hinted_tenant
from knowlog.kernel.errors import Forbidden
from knowlog.tenants import is_listed

_METHODS = "GET, POST, PUT, PATCH, DELETE"
_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Range, Tus-Resumable,"
    " Upload-Length, Upload-Metadata, Upload-Offset, X-CSRF-Token, X-Knowlog-Tenant, X-Request-Id"
)
_EXPOSED = (
    b"Content-Disposition, ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After,"
    b" Tus-Resumable, Upload-Expires, Upload-Length, Upload-Offset, X-Request-Id"
)
_ASKS = "cors preflight"
_NOBODY = UUID(int=0)


def is_preflight(method: str, headers: Mapping[bytes, bytes]) -> bool:
    """Say whether a browser asks if a page may call."""
    return method == "OPTIONS" and b"origin" in headers and b"access-control-request-method" in headers


async def preflight(database: Database, hints: tuple[Hint, ...], origin: str) -> Response:
    """Answer a preflight."""
    answer = Response(status_code=204)
    if not hints:
        answer.headers["Access-Control-Allow-Origin"] = "*"
    elif await _lists(database, hints, origin):
        answer.headers["Access-Control-Allow-Origin"] = origin
        answer.headers["Access-Control-Allow-Credentials"] = "true"
    else:
        return answer
    answer.headers["Access-Control-Allow-Methods"] = _METHODS
    answer.headers["Access-Control-Allow-Headers"] = _HEADERS
    answer.headers["Access-Control-Max-Age"] = "600"
    return answer


def foreign_origin(
    scope: Scope, headers: Mapping[bytes, bytes], host: str, public_url: str | None
) -> str | None:
    """Return the origin of the page that calls, None where it is this server's own, or no page calls."""
    origin = headers.get(b"origin")
    if origin is None or headers.get(b"sec-fetch-site") == b"same-origin":
        return None
    named = origin.decode("latin-1").lower()
    own = {f"{scope['scheme']}://{host.lower()}"}
    if public_url:
        parts = urlsplit(public_url.lower())
        own.add(f"{parts.scheme}://{parts.netloc}")
    return None if named in own else named


async def check_origin(database: Database, scope: DatabaseScope | None, origin: str | None) -> bytes | None:
    """Return the origin that may read the answer, None where no page asks. Raises Forbidden for one not listed.

    `scope` is the caller's; None for the operator, whom no page of another origin may serve.
    """
    if origin is None:
        return None
    if scope is not None:
        async with database.transaction(scope) as connection:
            if await is_listed(connection, origin):
                return origin.encode("latin-1")
    raise Forbidden(
        "Pages of this origin may not call for you. An admin of your tenant lists it with `knowlog origins add`."
    )


def answer_headers(allowed: bytes) -> list[tuple[bytes, bytes]]:
    """The headers that let a page of an allowed origin read an answer."""
    return [
        (b"access-control-allow-origin", allowed),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", _EXPOSED),
    ]


async def _lists(database: Database, hints: tuple[Hint, ...], origin: str) -> bool:
    tenant_id = await hinted_tenant(database, hints) or _NOBODY  # asked all the same: it takes as long
    async with database.transaction(DatabaseScope(tenant_id, _ASKS)) as connection:
        return await is_listed(connection, origin.lower())
