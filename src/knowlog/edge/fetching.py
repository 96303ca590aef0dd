"""Fetching a document by URL for a stranger, without lending them the server's place in its network.

Each hop: the name is resolved once, every address it has must be public, and the connection goes to the
address that was checked, as a number, so that a name which changes its mind meanwhile gains nothing. No
proxy, no cookies, no decompression, five redirects, a limit of bytes and of time.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import ClassVar
from urllib.parse import unquote

import httpx

from knowlog.edge.addresses import is_public
from knowlog.edge.settings import ApiSettings
from knowlog.kernel.errors import Invalid, KnowlogError, TooLarge

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> every address of the host, as numbers."""

_MOST_REDIRECTS = 5
_LONGEST_URL = 2000
_HEADERS = {"User-Agent": "knowlog", "Accept": "*/*", "Accept-Encoding": "identity"}
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}\]?")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]")
_NOT_PUBLIC = (
    "The host {host} does not lead to a public address, so nothing is fetched from it. Upload the file "
    "itself, or ask the operator to add the host to KNOWLOG_API_FETCH_PRIVATE_HOSTS."
)


class FetchFailed(KnowlogError):
    """The address did not give a document; the reason is for the person who named it."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "fetch-failed"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What stood at a URL. `url` is the address after redirects."""

    content: bytes
    media_type: str | None
    filename: str
    url: str


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver, which also reads addresses written in decimal, octal and hexadecimal."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


async def fetch(
    url: str,
    settings: ApiSettings,
    most_bytes: int,
    resolver: Resolver = resolve,
    took: Callable[[int], None] = lambda size_bytes: None,
) -> Fetched:
    """Fetch a document of at most `most_bytes`. `took` is told of each piece, and may refuse it by raising.

    Raises Invalid for an address that may not be fetched, FetchFailed when it does not give a document in
    time, TooLarge when the document is over the limit.
    """
    target = parse_url(url)
    try:
        async with asyncio.timeout(settings.fetch_timeout_s):
            for _ in range(_MOST_REDIRECTS + 1):
                address = await _checked_address(target, settings, resolver)
                outcome = await _get(target, address, most_bytes, took)
                if isinstance(outcome, Fetched):
                    return outcome
                target = outcome
    except TimeoutError as error:
        raise FetchFailed(f"The address did not answer in {settings.fetch_timeout_s:g} seconds.") from error
    raise FetchFailed(f"The address redirects more than {_MOST_REDIRECTS} times.")


def parse_url(url: str) -> httpx.URL:
    """Read a URL that may be fetched as far as its form goes. Raises Invalid."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise Invalid("The url cannot be read. Give one such as https://example.com/report.pdf.") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise Invalid("The url must begin with http:// or https:// and name a host.")
    if not _HOST.fullmatch(parsed.raw_host.decode("ascii")):
        raise Invalid("The url names a host that cannot be. Check it for typing errors.")
    if parsed.userinfo:
        raise Invalid("The url must not carry a user name or password.")
    if len(str(parsed)) > _LONGEST_URL:
        raise Invalid(f"The url has more than {_LONGEST_URL} characters.")
    return parsed.copy_with(fragment=None)


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


async def _checked_address(url: httpx.URL, settings: ApiSettings, resolver: Resolver) -> str:
    """Return the address to connect to. Raises Invalid when the host, or its port, may not be called."""
    host, port = url.raw_host.decode("ascii").strip("[]").lower(), _port(url)
    trusted = not {host, f"{host}:{port}"}.isdisjoint(settings.fetch_private_hosts)
    if port not in settings.fetch_ports and f"{host}:{port}" not in settings.fetch_private_hosts:
        allowed = ", ".join(map(str, sorted(settings.fetch_ports)))
        raise Invalid(f"Nothing is fetched from port {port}, but from {allowed}.")
    try:
        addresses = await resolver(host, port)
    except (OSError, UnicodeError) as error:
        raise Invalid(_NOT_PUBLIC.format(host=host)) from error
    if not addresses or not (trusted or all(map(is_public, addresses))):
        raise Invalid(_NOT_PUBLIC.format(host=host))
    return addresses[0]


async def _get(
    url: httpx.URL, address: str, most_bytes: int, took: Callable[[int], None]
) -> Fetched | httpx.URL:
    """Ask `address` for the URL: the document, or where a redirect leads."""
    headers = {**_HEADERS, "Host": url.netloc.decode("ascii")}
    sni = {"sni_hostname": url.raw_host.decode("ascii")}
    try:
        async with (
            httpx.AsyncClient(trust_env=False, timeout=10) as client,
            client.stream("GET", url.copy_with(host=address), headers=headers, extensions=sni) as answer,
        ):
            if answer.has_redirect_location:
                return parse_url(str(url.join(answer.headers["location"])))
            _check_answer(answer, most_bytes)
            content = await _read(answer, most_bytes, took)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise FetchFailed(
            "The address did not give a document: the connection failed. Check that it is right."
        ) from error
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower() or None
    return Fetched(content, media_type, _filename(url, answer.headers.get("content-disposition")), str(url))


def _check_answer(answer: httpx.Response, most_bytes: int) -> None:
    if answer.status_code != 200:
        raise FetchFailed(f"The address answered with status {answer.status_code} instead of a document.")
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise FetchFailed(
            "The address answers with compressed content though it was asked not to. Upload the file itself."
        )
    announced = answer.headers.get("content-length", "")
    if announced.isdigit() and int(announced[:20]) > most_bytes:
        raise _too_large(most_bytes)


async def _read(answer: httpx.Response, most_bytes: int, took: Callable[[int], None]) -> bytes:
    content = bytearray()
    async for piece in answer.aiter_raw():
        took(len(piece))
        content += piece
        if len(content) > most_bytes:
            raise _too_large(most_bytes)
    return bytes(content)


def _too_large(most_bytes: int) -> TooLarge:
    return TooLarge(
        f"The document at that address is over the limit of {most_bytes:,} bytes.", limit_bytes=most_bytes
    )


def _filename(url: httpx.URL, disposition: str | None) -> str:
    """A name for the document: what the host gives, else the end of the path, else the host's own."""
    given = None
    if disposition:
        message = Message()
        message["content-disposition"] = disposition
        given = message.get_filename()
    name = given or unquote(url.path.rstrip("/").rpartition("/")[2]) or url.host
    return _UNSAFE.sub("_", name)[-255:]
