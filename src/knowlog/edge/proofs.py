"""Whether a domain is a tenant's: a token that only who runs the domain can place, in its DNS or on its web server."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver

from knowlog.edge.fetching import FetchFailed, fetch
from knowlog.edge.names import Resolver, resolve
from knowlog.edge.reach import parse_url
from knowlog.edge.settings import ApiSettings
from knowlog.kernel.errors import KnowlogError
from knowlog.tenants import Domain, ProofKind

_LABEL = "_knowlog"
_PATH = "/.well-known/knowlog-verification"
_MOST_BYTES = 1024
_PATIENCE_S = 5.0


def where_to_prove(domain: Domain) -> dict[str, dict[str, str]]:
    """The two places of which one must hold the token."""
    return {
        "dns": {"name": f"{_LABEL}.{domain.domain}", "type": "TXT", "value": domain.token},
        "http": {"url": f"http://{domain.domain}{_PATH}", "value": domain.token},
    }


async def find_proof(
    domain: Domain, settings: ApiSettings, resolver: Resolver = resolve
) -> tuple[ProofKind | None, str | None]:
    """Look at both places. Returns where the token is, else None and, for the tenant's admin, what was found instead."""
    try:
        records = await txt_records(f"{_LABEL}.{domain.domain}", settings.dns_servers)
        said = "has no such TXT record" if not records else "has a TXT record with another value"
    except OSError:
        records, said = (), "cannot be asked: no DNS server answers"
    if domain.token in records:
        return "dns", None
    try:
        return await _by_http(domain, settings, resolver), None
    except KnowlogError as error:
        return None, f"{_LABEL}.{domain.domain} {said}; http://{domain.domain}{_PATH}: {error.detail}"


async def txt_records(name: str, servers: frozenset[str]) -> Sequence[str]:
    """Ask these DNS servers, or the system's, for the TXT records of a name. Raises OSError when none answers."""
    asked = dns.asyncresolver.Resolver(configure=not servers)
    if servers:
        asked.nameservers = [_server(each) for each in sorted(servers)]
    try:
        answer = await asked.resolve(name, "TXT", lifetime=_PATIENCE_S, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return ()
    except dns.exception.DNSException as error:
        raise OSError(str(error)) from error
    return [b"".join(record.strings).decode("utf-8", "replace").strip() for record in answer]


async def _by_http(domain: Domain, settings: ApiSettings, resolver: Resolver) -> ProofKind:
    """Read the token from the domain's web server, as `fetch` does it for strangers. Raises KnowlogError."""
    asked = f"http://{domain.domain}{_PATH}"
    got = await fetch(asked, settings, _MOST_BYTES, resolver)
    own, led_to = parse_url(asked).host, parse_url(got.url).host
    if led_to != own and not led_to.endswith(f".{own}"):
        raise FetchFailed("It redirects to another domain, which proves nothing.")
    if got.content.strip() != domain.token.encode():
        raise FetchFailed("It gives something else than the token.")
    return "http"


def _server(named: str) -> dns.nameserver.Nameserver:
    """A server by its address, with a port behind it where that is not 53: 10.0.0.2, 10.0.0.2:5353, [fd00::2]:5353."""
    parts = urlsplit(f"//{named}" if named.count(":") < 2 or "[" in named else f"//[{named}]")
    return dns.nameserver.Do53Nameserver(parts.hostname or named, parts.port or 53)
