"""Fetching a document by URL for a stranger, without lending them the server's place in its network.

Each hop is checked as `reach` has it. No proxy, no cookies, no decompression, five redirects, a limit of bytes and of
time.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from typing import ClassVar
from urllib.parse import unquote

import httpx

from knowlog.edge.names import Resolver, resolve
from knowlog.edge.reach import Reach, checked_address, connection_to, parse_url
from knowlog.edge.settings import ApiSettings
from knowlog.kernel.errors import KnowlogError, TooLarge

_MOST_REDIRECTS = 5
_HEADERS = {"User-Agent": "knowlog", "Accept": "*/*", "Accept-Encoding": "identity"}
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]")


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
    reach = Reach(
        settings.fetch_ports, settings.fetch_private_hosts, "KNOWLOG_API_FETCH_PRIVATE_HOSTS",
        "nothing is fetched from it. Upload the file itself",
    )  # fmt: skip
    try:
        async with asyncio.timeout(settings.fetch_timeout_s):
            for _ in range(_MOST_REDIRECTS + 1):
                address = await checked_address(target, reach, resolver)
                outcome = await _get(target, address, most_bytes, took)
                if isinstance(outcome, Fetched):
                    return outcome
                target = outcome
    except TimeoutError as error:
        raise FetchFailed(f"The address did not answer in {settings.fetch_timeout_s:g} seconds.") from error
    raise FetchFailed(f"The address redirects more than {_MOST_REDIRECTS} times.")


async def _get(
    url: httpx.URL, address: str, most_bytes: int, took: Callable[[int], None]
) -> Fetched | httpx.URL:
    """Ask `address` for the URL: the document, or where a redirect leads."""
    place, host, sni = connection_to(url, address)
    try:
        async with (
            httpx.AsyncClient(trust_env=False, timeout=10) as client,
            client.stream("GET", place, headers=_HEADERS | host, extensions=sni) as answer,
        ):
            if answer.has_redirect_location:
                return parse_url(str(url.join(answer.headers["location"])))
            _check_answer(answer, most_bytes)
            content = await _read(answer, most_bytes, took)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise FetchFailed(
            "The address did not give a document: the connection failed. Check that it is right."
        ) from error
    media_type = answer.headers.get("content-type", "").strip().lower()[:200] or None
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
