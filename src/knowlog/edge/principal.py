"""Who is calling: dependencies that every route must have one of (tests/house/test_routes.py)."""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from knowlog.edge.addresses import origin_of
from knowlog.edge.cookies import Cookies, check_forgery
from knowlog.edge.cors import check_origin
from knowlog.edge.demand import Demand
from knowlog.edge.hints import check_hints
from knowlog.edge.names import names_on_account_of
from knowlog.edge.strangers import Strangers
from knowlog.edge.visit import Visit, visit_of
from knowlog.kernel.errors import Forbidden, Unauthenticated
from knowlog.tenants import KeyRole, Limiter, OverRate, Principal, authenticate

_OPERATOR = "operator"
_HOW = "Send the header `Authorization: Bearer <API key or access token>`."
_HOW_OPERATOR = "Send that one as `Authorization: Bearer <key>`; `knowlog up` keeps it in its data directory."


def credential_of(request: Request) -> str:
    """Return what the caller offers: the header goes before the cookie. Raises Unauthenticated when there is nothing."""
    offered = _bearer(request) or _in_cookie(request)
    if not offered:
        raise Unauthenticated(f"This needs an API key or an access token. {_HOW}")
    return offered


def origin_of_request(request: Request) -> str:
    """Where a request comes from, as wrong secrets are counted."""
    return origin_of(request.client.host) if request.client else ""


def _bearer(request: Request) -> str:
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else ""


def _in_cookie(request: Request) -> str:
    """The access token of a browser's session; where the header names something else, none."""
    cookies: Cookies = request.app.state.cookies
    return "" if "authorization" in request.headers else cookies.access_token(request) or ""


class Caller(Demand, SecurityBase):
    """Dependency: the principal of the API key or access token that was sent, who must have at least `role`.

    A route asks it before the body is read, and FastAPI once more afterwards: the first answer holds. `whole`: what it
    governs is the whole tenant's, and closed to a key that is limited to some collections.
    """

    def __init__(self, role: KeyRole, *, whole: bool = False) -> None:
        self.role = role
        self.whole = whole
        self.model = HTTPBearer(
            description=f"An API key of a tenant, or the access token of a session. {_HOW}"
        )
        self.scheme_name = "api_key"

    async def __call__(self, request: Request) -> Principal:
        """Find the principal.

        Raises Unauthenticated, Forbidden when its role is not enough, LimitReached for a caller that has made all its
        requests of a minute and for an address that offers one wrong key after the other, Unavailable when the server
        has too much in hand.
        """
        visit = visit_of(request.scope)
        if visit.caller is None:
            visit.caller = await self._find(request, visit)
        return visit.caller

    async def _find(self, request: Request, visit: Visit) -> Principal:
        with _counted(request) as secret:
            principal = await authenticate(request.app.state.database, secret)
            if not _bearer(request):
                check_forgery(request, secret)
        visit.tenant, visit.principal = str(principal.scope.tenant_id), principal.scope.principal
        names_on_account_of(visit.tenant)
        await check_hints(request.app.state.database, visit.hints, principal.scope.tenant_id)
        visit.readable_by = await check_origin(request.app.state.database, principal.scope, visit.origin)
        await _hold_to_rate(request, visit, principal)
        principal.require(self.role)
        if self.whole and principal.scope.collections is not None:
            raise Forbidden("Your key is limited to some collections, and this is the whole tenant's.")
        visit.stay.begin(visit.tenant)
        return principal


class Operator(Demand, SecurityBase):
    """Dependency: the operator of the installation, known by the key in the settings."""

    def __init__(self) -> None:
        self.model = HTTPBearer(
            description=f"The operator's key, as KNOWLOG_API_OPERATOR_KEY has it. {_HOW_OPERATOR}"
        )
        self.scheme_name = "operator_key"

    async def __call__(self, request: Request) -> None:
        """Raise Forbidden when the installation has no operator key, Unauthenticated when this is not it."""
        visit = visit_of(request.scope)
        if visit.principal == _OPERATOR:
            return
        key = request.app.state.settings.operator_key
        with _counted(request) as offered:
            if key is None:
                raise Forbidden(
                    "This is for the operator alone. Start the server with KNOWLOG_API_OPERATOR_KEY to have one."
                )
            if not hmac.compare_digest(_digest(offered), _digest(key.get_secret_value())):
                raise Unauthenticated(
                    f"This is not the operator's key, which is needed here. {_HOW_OPERATOR}"
                )
        await check_hints(request.app.state.database, visit.hints, None)
        await check_origin(request.app.state.database, None, visit.origin)
        visit.principal = _OPERATOR
        visit.stay.begin(_OPERATOR)


async def _hold_to_rate(request: Request, visit: Visit, principal: Principal) -> None:
    """Raise LimitReached when the tenant, or the key, has made the requests that it may. The answer tells how it is."""
    limiter: Limiter = request.app.state.knowlog.limiter
    try:
        rate = await limiter.admit(principal)
    except OverRate as error:
        visit.rates += filter(None, [error.rate])
        raise
    visit.rates += filter(None, [rate])


@contextmanager
def _counted(request: Request) -> Iterator[str]:
    """Yield the secret that was sent, unless its address has offered too many wrong ones; count one more."""
    secret = credential_of(request)
    strangers: Strangers = request.app.state.strangers
    address = request.client.host if request.client else ""
    strangers.check(address, secret)
    try:
        yield secret
    except Unauthenticated:
        strangers.refuse(address)
        request.app.state.metrics.caller_refused()
        raise
    strangers.welcome(secret)


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "replace")).digest()
