"""What an endpoint replies, read whole within bounds: one that lies may send without an end, fast or a byte at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

import orjson

from knowlog.kernel.errors import Unavailable
from knowlog.resilience.deadline import remaining_s, time_limit

if TYPE_CHECKING:  # the client of HTTP is loaded by who has one
    import httpx


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is read, and how long it may take from the request to the end; `what` begins the sentence."""

    what: str
    most_bytes: int
    most_s: float


@dataclass(frozen=True, slots=True)
class WholeReply:
    """Status, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Read the body as JSON. Raises ValueError for all that is none, however deep or large its numbers are."""
        return orjson.loads(self.body)


async def post(client: "httpx.AsyncClient", path: str, given: object, bounds: Bounds) -> WholeReply:
    """Send JSON and read the reply. Raises Unavailable for one that does not end, and what the client raises."""
    body = bytearray()
    async with time_limit(bounds.most_s, bounds.what), client.stream("POST", path, json=given) as response:
        async for piece in response.aiter_bytes():
            _take(body, piece, bounds)
        return WholeReply(response.status_code, response.headers, bytes(body))


def post_sync(client: "httpx.Client", path: str, given: object, bounds: Bounds) -> WholeReply:
    """As `post`, for a thread."""
    left_s = remaining_s()
    ends_at = monotonic() + (bounds.most_s if left_s is None else min(left_s, bounds.most_s))
    body = bytearray()
    with client.stream("POST", path, json=given) as response:
        for piece in response.iter_bytes():
            _take(body, piece, bounds)
            if monotonic() > ends_at:
                raise Unavailable(f"{bounds.what} did not answer in time.")
        return WholeReply(response.status_code, response.headers, bytes(body))


def _take(body: bytearray, piece: bytes, bounds: Bounds) -> None:
    body += piece
    if len(body) > bounds.most_bytes:
        raise Unavailable(
            f"{bounds.what} answered with more than {bounds.most_bytes:,} bytes: it does not end."
        )
