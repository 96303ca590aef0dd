"""uvicorn's HTTP protocol with what it lacks: an end to headers that never end, or never come."""

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from knowlog.edge.problem import HeadersTooLarge, RequestTimeout, problem_document
from knowlog.kernel import new_id
from knowlog.kernel.errors import BadRequest, KnowlogError

_SLACK = 65536
"""One read of the socket may hold the end of the body before as well. The exact limit is the gate's."""
_HEADERS = "content-type: application/problem+json\r\nconnection: close"


def _refusal(error: KnowlogError) -> bytes:
    """The whole response, for what is refused before there is a request."""
    body = orjson.dumps(problem_document(error, new_id().hex))
    status = f"{error.status} {HTTPStatus(error.status).phrase}"
    return f"HTTP/1.1 {status}\r\n{_HEADERS}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


_TOO_LARGE = HeadersTooLarge("The headers are over the limit. Send fewer or shorter ones.")
_TOO_SLOW = RequestTimeout("The headers took too long. Send the request again.")
_MALFORMED = BadRequest("This is not a request that HTTP/1.1 can carry.")


class BoundedProtocol(HttpToolsProtocol):
    """Counts the bytes, and the time, from a request's first byte to the end of its headers."""

    max_header_bytes: ClassVar[int]
    header_timeout_s: ClassVar[float]
    _unread = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for headers."""
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._headers_came()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Wait for the headers of the next request."""
        self._headers_came()
        self._expect_headers()
        super().on_message_begin()

    def data_received(self, data: bytes) -> None:
        """Parse, and count what is not yet a request."""
        super().data_received(data)
        if self._timer is not None:
            self._unread += len(data)
            if self._unread > self.max_header_bytes + _SLACK:
                self._refuse(_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Stop waiting: the request begins."""
        self._headers_came()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, in the form that every error has."""
        self._refuse(_MALFORMED)

    def _expect_headers(self) -> None:
        self._unread = 0
        self._timer = self.loop.call_later(self.header_timeout_s, self._refuse, _TOO_SLOW)

    def _headers_came(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, error: KnowlogError) -> None:
        self._headers_came()
        if not self.transport.is_closing():
            self.transport.write(_refusal(error))
            self.transport.close()


def bounded_protocol(max_header_bytes: int, header_timeout_s: float) -> type[BoundedProtocol]:
    """Make the protocol class for these limits."""
    limits = {"max_header_bytes": max_header_bytes, "header_timeout_s": header_timeout_s}
    return type("LimitedProtocol", (BoundedProtocol,), limits)
