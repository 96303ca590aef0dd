"""What a proxy says of the client behind it, believed of those proxies alone that the settings name."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.types import Scope

from knowlog.kernel.errors import BadRequest

_Networks = tuple[IPv4Network | IPv6Network, ...]


def heed_proxy(scope: Scope, headers: Mapping[bytes, bytes], trusted: frozenset[str]) -> str:
    """Put client and scheme as a trusted proxy tells them into `scope`; return the host that was asked for.

    X-Forwarded-For counts from its end, as far as trusted proxies wrote it. Raises BadRequest where a trusted proxy
    names several hosts: which of them the client meant, nobody knows.
    """
    host = headers.get(b"host", b"").decode("latin-1")
    networks = _networks(trusted)
    if not networks or not scope.get("client") or not _within(scope["client"][0], networks):
        return host
    if client := _client(headers.get(b"x-forwarded-for", b"").decode("latin-1"), networks):
        scope["client"] = (client, 0)
    if (scheme := headers.get(b"x-forwarded-proto", b"").decode("latin-1").strip().lower()) in {
        "http",
        "https",
    }:
        scope["scheme"] = scheme
    named = headers.get(b"x-forwarded-host", b"").decode("latin-1").strip()
    if "," in named:
        raise BadRequest("X-Forwarded-Host names several hosts. The proxy must set it, not add to it.")
    return named or host


def _client(forwarded: str, networks: _Networks) -> str | None:
    """The last address that no trusted proxy has; None where there is none, or what is said is no address."""
    for each in reversed([part.strip() for part in forwarded.split(",")]):
        try:
            address = ip_address(each)
        except ValueError:
            return None
        if not any(address in network for network in networks):
            return str(address)
    return None


def _within(address: str, networks: _Networks) -> bool:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return any(parsed in network for network in networks)


@lru_cache(maxsize=8)
def _networks(trusted: Iterable[str]) -> _Networks:
    return tuple(ip_network(each) for each in sorted(trusted))
