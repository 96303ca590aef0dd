"""Who is calling: dependencies that every route must have one of (tests/house/test_routes.py)."""

import hmac
from hashlib import sha256

from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from knowlog.edge.visit import visit_of
from knowlog.kernel.errors import Forbidden, Unauthenticated
from knowlog.tenants import Principal, Role, authenticate

_HOW = "Send the header `Authorization: Bearer <API key>`."


def bearer_secret(request: Request) -> str:
    """Return what stands behind `Bearer` in Authorization. Raises Unauthenticated when nothing does."""
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        raise Unauthenticated(f"This needs an API key. {_HOW}")
    return secret.strip()


class Caller(SecurityBase):
    """Dependency: the principal of the API key that was sent, who must have at least `role`."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.model = HTTPBearer(description=f"An API key of a tenant. {_HOW}")
        self.scheme_name = "api_key"

    async def __call__(self, request: Request) -> Principal:
        """Find the principal. Raises Unauthenticated, or Forbidden when its role is not enough."""
        principal = await authenticate(request.app.state.database, bearer_secret(request))
        visit = visit_of(request.scope)
        visit.tenant, visit.principal = str(principal.scope.tenant_id), principal.scope.principal
        principal.require(self.role)
        return principal


class Operator(SecurityBase):
    """Dependency: the operator of the installation, known by the key in the settings."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description=f"The operator's key, as KNOWLOG_API_OPERATOR_KEY has it. {_HOW}")
        self.scheme_name = "operator_key"

    async def __call__(self, request: Request) -> None:
        """Raise Forbidden when the installation has no operator key, Unauthenticated when this is not it."""
        offered = bearer_secret(request)
        key = request.app.state.settings.operator_key
        if key is None:
            raise Forbidden("This is for the operator alone, and KNOWLOG_API_OPERATOR_KEY is not set here.")
        if not hmac.compare_digest(_digest(offered), _digest(key.get_secret_value())):
            raise Unauthenticated(f"This is not the operator's key, which is needed here. {_HOW}")
        visit_of(request.scope).principal = "operator"


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "replace")).digest()
