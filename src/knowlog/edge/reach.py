"""Where this server may be led by an address that a stranger names: never into the network that it stands in.

A name is resolved once, every address it has must be public, and the caller connects to the address that was checked,
as a number, so that a name which changes its mind meanwhile gains nothing.
"""

import re
from dataclasses import dataclass

import httpx

from knowlog.edge.addresses import is_public
from knowlog.edge.names import PATIENCE_S, Resolver, addresses_of, resolve
from knowlog.kernel.errors import Invalid

_LONGEST_URL = 2000
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}\]?")


@dataclass(frozen=True, slots=True)
class Reach:
    """The ports of public hosts that may be called, and the hosts inside the network that may. `setting` names where
    the operator adds to these; `refusal` completes the sentence "..., so".
    """

    ports: frozenset[int]
    private_hosts: frozenset[str]
    setting: str
    refusal: str


def reach_of_webhooks(ports: frozenset[int], private_hosts: frozenset[str]) -> Reach:
    """Where the endpoints of webhooks may stand."""
    refusal = "nothing is sent there. Give another"
    return Reach(ports, private_hosts, "KNOWLOG_WEBHOOKS_PRIVATE_HOSTS", refusal)


def parse_url(url: str) -> httpx.URL:
    """Read a URL that may be called as far as its form goes. Raises Invalid."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise Invalid("The url cannot be read. Give one such as https://example.com/path.") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise Invalid("The url must begin with http:// or https:// and name a host.")
    if not _HOST.fullmatch(parsed.raw_host.decode("ascii")):
        raise Invalid("The url names a host that cannot be. Check it for typing errors.")
    if parsed.userinfo:
        raise Invalid("The url must not carry a user name or password.")
    if len(str(parsed)) > _LONGEST_URL:
        raise Invalid(f"The url has more than {_LONGEST_URL} characters.")
    return parsed.copy_with(fragment=None)


async def checked_address(url: httpx.URL, reach: Reach, resolver: Resolver = resolve) -> str:
    """Return the address to connect to. Raises Invalid when the host, or its port, may not be called."""
    host, port = url.raw_host.decode("ascii").strip("[]").lower(), _port(url)
    trusted = not {host, f"{host}:{port}"}.isdisjoint(reach.private_hosts)
    if port not in reach.ports and f"{host}:{port}" not in reach.private_hosts:
        allowed = " and ".join(map(str, sorted(reach.ports)))
        raise Invalid(
            f"The port {port} may not be called; {allowed} may. Give another address, or ask the operator to add"
            f" {host}:{port} to {reach.setting}."
        )
    refused = (
        f"The host {host} has no public address (there is none by this name, or it stands in a private network), so"
        f" {reach.refusal}, or ask the operator to add the host to"
        f" {reach.setting}."
    )
    try:
        addresses = await addresses_of(host, port, resolver)
    except TimeoutError as error:
        raise Invalid(
            f"The address of {host} was not found in {PATIENCE_S} seconds. Check the name, or try again in a moment."
        ) from error
    except (OSError, UnicodeError) as error:
        raise Invalid(refused) from error
    if not addresses or not (trusted or all(map(is_public, addresses))):
        raise Invalid(refused)
    return addresses[0]


def connection_to(url: httpx.URL, address: str) -> tuple[httpx.URL, dict[str, str], dict[str, str]]:
    """What a client needs to call `url` at this very address: where to connect, header, and name for TLS."""
    sni = {"sni_hostname": url.raw_host.decode("ascii")}
    return url.copy_with(host=address), {"Host": url.netloc.decode("ascii")}, sni


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
