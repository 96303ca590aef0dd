"""Asking where a tenant has named the address, without lending it the server's place in its network.

Each request is checked as `reach` has it, and goes to the address that was checked. No redirect is followed: a key goes
nowhere else.
"""

import httpx

from knowlog.edge.names import Resolver, resolve
from knowlog.edge.reach import Reach, checked_address, connection_to, parse_url
from knowlog.kernel.errors import Invalid


def reach_of_models(private_hosts: frozenset[str]) -> Reach:
    """Where the language models of tenants may stand."""
    return Reach(
        frozenset({443}), private_hosts, "KNOWLOG_LLM_PRIVATE_HOSTS", "it is not asked. Give another"
    )


def require_safe_form(url: str, reach: Reach) -> httpx.URL:
    """Raise Invalid for what can be no address of an endpoint, or holds what would be shown with it."""
    parsed = parse_url(url)
    host = parsed.raw_host.decode("ascii").strip("[]").lower()
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    if parsed.scheme != "https" and {host, f"{host}:{port}"}.isdisjoint(reach.private_hosts):
        raise Invalid(
            "A language model is asked by https, since its key travels. Give its address with https://."
        )
    if parsed.query:
        raise Invalid("The address of a language model has no question mark: its key is given apart.")
    return parsed


class ReachTransport(httpx.AsyncBaseTransport):
    """A transport of httpx. An address out of reach cannot be connected to."""

    def __init__(self, reach: Reach, resolver: Resolver = resolve) -> None:
        self._reach = reach
        self._resolver = resolver
        self._inner = httpx.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        try:
            require_safe_form(str(request.url), self._reach)
            address = await checked_address(request.url, self._reach, self._resolver)
        except Invalid as error:
            raise httpx.ConnectError(error.detail) from error
        place, _, sni = connection_to(request.url, address)
        request.url = place
        request.extensions = {**request.extensions, **sni}
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._inner.aclose()
