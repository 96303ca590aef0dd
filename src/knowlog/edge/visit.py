"""What is remembered of one request while it is answered: for its log line, its metrics and its errors."""

import re
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from knowlog.edge.admission import Stay
from knowlog.kernel import new_id

if TYPE_CHECKING:  # whoever only logs does without the database
    from knowlog.edge.hints import Hint
    from knowlog.resilience import Turn
    from knowlog.tenants import Principal, Rate

KEY = "knowlog.visit"
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="-")
"""The id of the request that this task works for, "-" outside of one. Every log line carries it."""

_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(slots=True)
class Visit:
    """One request on its way through. `status` is 0 until the response has begun; `caller` is who was found.

    `hints` are the names of a tenant that address and headers hold; `origin` is that of the page which calls, None where
    it is this server's own; `readable_by` is the origin whose page may read the answer.
    `host`: what was asked for, as far as we or our proxy know.
    `secure`: by TLS, as far as we or our proxy know. `prefix` was taken off the path, and named the tenant.
    `rates`: what the answer says of the caller's limits. `question`: its tenant is shown how long it took. `turn`: what
    it holds while it is worked on; it `goes_on` where the answer begins before all of it is made.
    """

    request_id: str
    stay: Stay
    started: float = field(default_factory=perf_counter)
    status: int = 0
    tenant: str = ""
    principal: str = ""
    caller: "Principal | None" = None
    hints: "tuple[Hint, ...]" = ()
    origin: str | None = None
    readable_by: bytes | None = None
    host: str = ""
    secure: bool = False
    prefix: str = ""
    rates: "list[Rate]" = field(default_factory=list)
    question: bool = False
    turn: "Turn | None" = None
    goes_on: bool = False


def visit_of(scope: Any) -> Visit:
    """Return the visit that the edge put into an ASGI scope."""
    visit: Visit = scope[KEY]
    return visit


def choose_request_id(offered: str | None) -> str:
    """Keep a client's request id when it is short and plain (so that it cannot forge log lines), else make
    one.
    """
    return offered if offered and _SANE.fullmatch(offered) else new_id().hex
