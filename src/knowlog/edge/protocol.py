"""uvicorn's HTTP protocol with what it lacks: an end to what never ends, or never comes, and a bound of connections."""

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from knowlog.edge.addresses import origin_of
from knowlog.edge.connections import Connections
from knowlog.edge.early import Early
from knowlog.edge.problem import HeadersTooLarge, RequestTimeout, problem_document
from knowlog.kernel import new_id
from knowlog.kernel.errors import BadRequest, KnowlogError

CONNECTION = "knowlog.connection"
"""Where a request's ASGI scope holds its connection."""

_SLACK = 65536
"""One read of the socket may hold the end of the body before as well. The exact limit is the gate's."""
_HEADERS = (
    "content-type: application/problem+json\r\nconnection: close\r\ncache-control: no-store\r\n"
    "x-content-type-options: nosniff"
)


def _refusal(error: KnowlogError) -> bytes:
    """The whole response, for what is refused before there is a request."""
    body = orjson.dumps(problem_document(error, new_id().hex))
    status = f"{error.status} {HTTPStatus(error.status).phrase}"
    return f"HTTP/1.1 {status}\r\n{_HEADERS}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


_TOO_LARGE = HeadersTooLarge("The headers are over the limit. Send fewer or shorter ones.")
_TOO_SLOW = RequestTimeout("The headers took too long. Send the request again.")
_MALFORMED = BadRequest("This is not a request that HTTP/1.1 can carry.")


class BoundedProtocol(HttpToolsProtocol):
    """Counts the bytes that bring no request further, and the time until the headers end.

    Headers, trailers and the extensions of chunks are such bytes: no body comes of them.
    """

    max_header_bytes: ClassVar[int]
    header_timeout_s: ClassVar[float]
    crowd: ClassVar[Connections]
    early: ClassVar[Early]
    stays_s: ClassVar[float]
    """From then on the next answer is a connection's last, so that who kept it comes to the server that has room."""
    origin = ""
    _made_at = 0.0
    _unread = 0
    _unbegun: list[bytes] | None = None
    """The body, so far, of what may be refused before it becomes a request."""
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for headers."""
        super().connection_made(transport)
        self._made_at = self.loop.time()
        self.origin = origin_of(self.client[0]) if self.client else ""
        self._expect_headers()
        self.crowd.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._headers_came()
        self.crowd.closed(self)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Wait for the headers of the next request."""
        self._headers_came()
        self._expect_headers()
        super().on_message_begin()
        self.scope[CONNECTION] = self  # type: ignore[literal-required]

    def data_received(self, data: bytes) -> None:
        """Parse, and count what brings neither a request nor a body."""
        self._unread += len(data)
        super().data_received(data)
        if self._unbegun is not None:
            self._begin()
        if self._unread > self.max_header_bytes + _SLACK:
            self._refuse(_TOO_LARGE)
        elif self._timer is None and self._idle and self._unread:
            self._expect_headers()  # bytes between two requests must not hold the connection

    def on_headers_complete(self) -> None:
        """Stop waiting: the request begins, unless it is to be refused as soon as it is whole."""
        self._headers_came()
        self._unread = 0
        if self._is_plain and self.early.may_refuse(self.parser.get_method(), self.url, self.headers):
            self._unbegun = []
        else:
            self._begin_request()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._unread = 0
        if self._unbegun is not None:
            self._unbegun.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._unbegun is None:
            super().on_message_complete()
            return
        self._unbegun = None
        self.transport.write(self.early.refuse(self.headers, self.server_state.default_headers))
        self.on_response_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.crowd.wait(self)
        super().on_response_complete()

    def keep(self) -> None:
        """Do not be closed for others' sake until the response is complete."""
        self.crowd.serve(self)

    def evict(self) -> None:
        """Make room for another connection."""
        self._headers_came()
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, in the form that every error has."""
        self._refuse(_MALFORMED)

    def _begin(self) -> None:
        """It did not come in one piece: it is a request like others."""
        body, self._unbegun = self._unbegun or [], None
        if self.transport.is_closing():
            return
        self._begin_request()
        for piece in body:
            super().on_body(piece)

    def _begin_request(self) -> None:
        super().on_headers_complete()
        if self.loop.time() - self._made_at > self.stays_s:
            self.cycle.keep_alive = False

    @property
    def _is_plain(self) -> bool:
        """The connection stays as it is, and everything before was answered and taken."""
        parser = self.parser
        taken = self._idle and not self.pipeline and not self.transport.get_write_buffer_size()
        return taken and parser.get_http_version() == "1.1" and parser.should_keep_alive()

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _expect_headers(self) -> None:
        self._timer = self.loop.call_later(self.header_timeout_s, self._refuse, _TOO_SLOW)

    def _headers_came(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, error: KnowlogError) -> None:
        self._headers_came()
        if not self.transport.is_closing():
            if self._idle or not self.cycle.response_started:
                self.transport.write(_refusal(error))
            self.transport.close()


def bounded_protocol(
    max_header_bytes: int, header_timeout_s: float, stays_s: float, crowd: Connections, early: Early
) -> type[BoundedProtocol]:
    """Make the protocol class for these limits."""
    limits = {
        "max_header_bytes": max_header_bytes,
        "header_timeout_s": header_timeout_s,
        "stays_s": stays_s,
        "crowd": crowd,
        "early": early,
    }
    return type("LimitedProtocol", (BoundedProtocol,), limits)
