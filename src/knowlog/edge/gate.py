"""The gate: one ASGI middleware around everything, so that a request pays for one layer only."""

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus
from time import perf_counter
from typing import Any

from opentelemetry import propagate, trace
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from knowlog.database import Database
from knowlog.edge import cors, problem
from knowlog.edge.admission import Admission, Stay
from knowlog.edge.crowd import Crowd, credential
from knowlog.edge.headers import DEFAULTS
from knowlog.edge.hints import Hints
from knowlog.edge.metrics import Metrics
from knowlog.edge.pace import Pace
from knowlog.edge.protocol import CONNECTION
from knowlog.edge.proxies import heed_proxy
from knowlog.edge.settings import ApiSettings
from knowlog.edge.visit import KEY, REQUEST_ID, Visit, choose_request_id
from knowlog.kernel.errors import BadRequest, KnowlogError, TooLarge, UnsupportedType
from knowlog.resilience import Turn, Turns, no_deadline
from knowlog.tenants import CALL, Call

Asks = Callable[[str, str], bool]
"""(method, path) -> whether such a request is a question, which takes a turn."""
BodyLimit = Callable[[str, str], int]
"""(method, path) -> most bytes that the body of such a request may have."""
Form = Callable[[str, Response], Response]
"""(path, problem document) -> the refusal as the protocol of that address has it."""

_log = logging.getLogger("knowlog.edge")
_access = logging.getLogger("knowlog.access")
_tracer = trace.get_tracer("knowlog")
_DRAIN_S = 5
_PIECE_BYTES = 128 * 1024
_MOST_HEADERS = 100


class Gate:
    """Gives each request its id, limits, security headers, span, log line and figures; answers what nobody
    caught.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ApiSettings,
        body_limit: BodyLimit,
        metrics: Metrics,
        admission: Admission,
        database: Database,
        form: Form,
        pace: Pace,
        asks: Asks,
        turns: Turns,
        crowd: Crowd,
    ) -> None:
        self._app = app
        self._database = database
        self._form = form
        self._pace = pace
        self._asks = asks
        self._turns = turns
        self._crowd = crowd
        self._hints = Hints(settings)
        self._settings = settings
        self._body_limit = body_limit
        self._metrics = metrics
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _first_of_each(scope["headers"])
        offered = headers.get(b"x-request-id", b"").decode("latin-1")
        stay = Stay(self._admission, scope.get(CONNECTION), arriving=_has_body(headers))
        visit = Visit(choose_request_id(offered), stay)
        scope[KEY] = visit
        REQUEST_ID.set(visit.request_id)
        no_deadline()
        CALL.set(_call(scope, headers, visit.request_id))
        with _tracer.start_as_current_span(scope["method"], _parent(headers), trace.SpanKind.SERVER) as span:
            try:
                await self._serve(scope, _Exchange(visit, receive, send, headers), headers)
            finally:
                if visit.turn is not None:
                    visit.turn.leave()
                visit.stay.end()
            self._record(scope, visit, span)

    async def _serve(self, scope: Scope, exchange: "_Exchange", headers: dict[bytes, bytes]) -> None:
        try:
            if self._asks(scope["method"], scope["path"]):
                exchange.turns = self._turns
                with self._crowd.one_more(credential(headers)) as exchange.has_ended:
                    await self._admit(scope, exchange, headers)
            else:
                await self._admit(scope, exchange, headers)
        except problem.GONE:
            exchange.visit.status = exchange.visit.status or 499
        except Exception as caught:
            error = problem.as_error(caught)
            if exchange.visit.status:
                raise  # The answer had begun: cutting the connection is the only honest end.
            refusal = problem.response(error, exchange.visit.request_id)
            await self._form(scope["path"], refusal)(scope, exchange.receive, exchange.send)

    async def _admit(self, scope: Scope, exchange: "_Exchange", headers: dict[bytes, bytes]) -> None:
        self._check(scope, headers)
        self._place(scope, exchange.visit, headers)
        exchange.allow(self._limit(scope, headers), self._settings)
        app = self._app
        if cors.is_preflight(scope["method"], headers):
            origin = headers[b"origin"].decode("latin-1")
            app = await cors.preflight(self._database, exchange.visit.hints, origin)
        await app(scope, exchange.receive, exchange.send)

    def _check(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        """Raise what speaks against the request as it stands."""
        size = sum(len(name) + len(value) for name, value in scope["headers"]) + len(scope["query_string"])
        if size > self._settings.max_header_bytes or len(scope["headers"]) > _MOST_HEADERS:
            raise problem.HeadersTooLarge(
                f"A request may have {_MOST_HEADERS} headers, of {self._settings.max_header_bytes} bytes together."
            )
        longest = max((len(name) + len(value) for name, value in scope["headers"]), default=0)
        if max(longest, len(scope["query_string"])) > self._settings.max_header_line_bytes:
            raise problem.HeadersTooLarge(
                f"A header, or the address, may have {self._settings.max_header_line_bytes} bytes."
            )
        if sum(name == b"host" for name, _ in scope["headers"]) != 1 and scope["http_version"] == "1.1":
            raise BadRequest("A request has one Host header, which names the server that you call.")
        if "\0" in scope["path"] or b"%00" in scope["query_string"] or b"\0" in scope["query_string"]:
            raise BadRequest("The address holds a NUL character (%00). Send it without.")
        if any(b"\0" in value for _, value in scope["headers"]):
            raise BadRequest("A header holds a NUL character. Send it without.")
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UnsupportedType("Compressed bodies are not read. Send the body without Content-Encoding.")
        if headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            raise BadRequest("The only Transfer-Encoding that is read is chunked.")

    def _place(self, scope: Scope, visit: Visit, headers: dict[bytes, bytes]) -> None:
        """Note where the request comes from and which tenant it is meant for. Raises BadRequest."""
        host = heed_proxy(scope, headers, self._settings.trusted_proxies)
        asked = scope["path"]
        visit.host = host
        visit.hints = self._hints.read(scope, headers, host)
        visit.prefix = asked.removesuffix(scope["path"])
        visit.origin = cors.foreign_origin(scope, headers, host, self._settings.public_url)
        visit.secure = scope["scheme"] == "https"

    def _limit(self, scope: Scope, headers: dict[bytes, bytes]) -> int:
        """Return the most bytes of the body. Raises TooLarge when more are announced."""
        limit = self._body_limit(scope["method"], scope["path"])
        if _announced(headers) > limit:
            raise _too_large(limit)
        return limit

    def _record(self, scope: Scope, visit: Visit, span: trace.Span) -> None:
        seconds = perf_counter() - visit.started
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.request_done(scope["method"], route, visit.status, seconds)
        if visit.question:
            self._pace.note(visit.tenant, seconds, failed=visit.status >= 400)
        if span.is_recording():
            span.update_name(f"{scope['method']} {route}")
            span.set_attributes(
                {
                    "http.request.method": scope["method"],
                    "http.route": route,
                    "http.response.status_code": visit.status,
                    "knowlog.request_id": visit.request_id,
                    "knowlog.tenant": visit.tenant,
                }
            )
        if _access.isEnabledFor(logging.INFO):
            _access.info(
                "request",
                extra={
                    "fields": {
                        "method": scope["method"],
                        "route": route,
                        "status": visit.status,
                        "ms": round(seconds * 1000, 2),
                        "tenant": visit.tenant,
                        "principal": visit.principal,
                    }
                },
            )


class _Exchange:
    """The request's body coming in, counted, and the response going out, with the headers that all have."""

    def __init__(self, visit: Visit, receive: Receive, send: Send, headers: dict[bytes, bytes]) -> None:
        self.visit = visit
        self._receive = receive
        self._send = send
        self._announced = _announced(headers)
        self._complete = not _has_body(headers)
        self._patient = b"expect" not in headers
        self._limit = self._received = self._room = 0
        self._answer_s: float | None = None
        self._closes = False
        self._hsts_s = 0
        self.turns: Turns | None = None
        """Of which one is taken once the body is here: who sends it slowly holds up nobody."""
        self.has_ended: Callable[[], None] = _nothing
        """Called as the turn is given back."""

    def allow(self, limit: int, settings: ApiSettings) -> None:
        """Let the body have `limit` bytes, and the time that the settings give it."""
        self._limit = limit
        self._pause_s = settings.body_timeout_s
        self._slowest = settings.body_slowest_kb_s * 1024
        self._answer_s = settings.answer_timeout_s
        self._hsts_s = settings.hsts_s
        self._patience_ends = asyncio.get_running_loop().time() + self._pause_s

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        self._make_room(self._announced)
        try:
            async with asyncio.timeout_at(self._next_piece_by()):
                message = await self._receive()
        except TimeoutError as error:
            self._patient = False
            raise problem.RequestTimeout(
                "The request's body stopped coming, or comes too slowly. Send it again."
            ) from error
        self._complete = not message.get("more_body", False)
        self._received += len(message.get("body", b""))
        if self._received > self._limit:
            raise _too_large(self._limit)
        self._make_room(self._received)
        if self._complete and message["type"] == "http.request":
            self.visit.stay.arrived()
            if self.turns is not None:
                self.visit.turn = await self._take_turn(self.turns)
        return message

    async def _take_turn(self, turns: Turns) -> Turn:
        """Who goes away while it waits is not answered later: nobody would hear it."""
        if turns.free:
            return await turns.take(self.visit.tenant, self.has_ended)
        gone = asyncio.create_task(self._until_gone())
        try:
            return await turns.take(self.visit.tenant, self.has_ended, gone)
        except KnowlogError as error:
            if gone.done():
                raise problem.GONE from error
            raise
        finally:
            gone.cancel()

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _make_room(self, size_bytes: int) -> None:
        """Take room for a body that is announced, or has become, so large."""
        if size_bytes > self._room:
            self.visit.stay.take(size_bytes - self._room)
            self._room = size_bytes

    def _next_piece_by(self) -> float:
        """When the next bytes must have come: after no long pause, and not slower than is borne."""
        pause_ends = asyncio.get_running_loop().time() + self._pause_s
        return min(pause_ends, self._patience_ends + self._received / self._slowest)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._take_what_came()
            self._begin(message)
            await self._send(message)
        elif message["type"] == "http.response.body":
            await self._send_body(message.get("body", b""), message.get("more_body", False))
        else:
            await self._send(message)

    async def _send_body(self, body: bytes, more: bool) -> None:
        """Send in pieces, so that a large answer is in hand for as long as its reader takes."""
        closing = self._closes and self._patient and not more
        if len(body) <= _PIECE_BYTES and not closing:
            await self._pass_on(body, more=more)
            return
        for start in range(0, len(body), _PIECE_BYTES):
            await self._pass_on(body[start : start + _PIECE_BYTES], more=True)
        if closing:
            await self._drain()
        if not more:
            await self._pass_on(b"", more=False)

    async def _pass_on(self, piece: bytes, *, more: bool) -> None:
        """Send a piece once the client has taken those before. One that takes nothing for long is cut off."""
        try:
            async with asyncio.timeout(self._answer_s):
                await self._send({"type": "http.response.body", "body": piece, "more_body": more})
        except TimeoutError as error:
            _log.info("closed a connection that took nothing of its answer for %s s", self._answer_s)
            self.visit.stay.cut()
            await asyncio.sleep(0)
            raise problem.GONE from error

    def _begin(self, message: Message) -> None:
        self.visit.status = message["status"]
        self._end_turn(message["status"])
        headers = [self._within_prefix(item) for item in message["headers"]]
        present = {name for name, _ in headers}
        headers += [item for item in DEFAULTS.items() if item[0] not in present]
        headers.append((b"x-request-id", self.visit.request_id.encode()))
        if self.visit.origin is not None:
            headers.append((b"vary", b"Origin"))
        if self.visit.readable_by is not None:
            headers += cors.answer_headers(self.visit.readable_by)
        if self.visit.secure and self._hsts_s:
            headers.append((b"strict-transport-security", b"max-age=%d; includeSubDomains" % self._hsts_s))
        if rates := self.visit.rates:
            headers.append((b"ratelimit-policy", ", ".join(each.policy for each in rates).encode()))
            headers.append((b"ratelimit", ", ".join(each.state for each in rates).encode()))
        if self._closes:
            headers.append((b"connection", b"close"))
        message["headers"] = headers

    def _end_turn(self, status: int) -> None:
        """How long its reader takes says nothing of this machine, and a refusal nothing of what an answer takes."""
        if self.visit.turn is None or (self.visit.goes_on and status < HTTPStatus.BAD_REQUEST):
            return
        if status < HTTPStatus.BAD_REQUEST:
            self.visit.turn.end()
        else:
            self.visit.turn.leave()

    def _within_prefix(self, header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        """Where the path named the tenant, so does the one to go to."""
        if self.visit.prefix and header[0] == b"location" and header[1].startswith(b"/"):
            return header[0], self.visit.prefix.encode() + header[1]
        return header

    async def _take_what_came(self) -> None:
        """Where a body was not read, throw away what is here of it. If there is more, the connection will close."""
        try:
            async with asyncio.timeout(0):
                while self._patient and not self._complete:
                    self._complete = not (await self._receive()).get("more_body", False)
        except TimeoutError:
            pass
        self._closes = not self._complete

    async def _drain(self) -> None:
        """Swallow what a client still sends for a while.

        Many read the refusal only once they have sent everything, and closing on unread data would lose it.
        """
        try:
            async with asyncio.timeout(_DRAIN_S):
                while (await self._receive()).get("more_body", False):
                    pass
        except TimeoutError:
            _log.info("closed a connection that kept sending a body that was refused")


def _nothing() -> None:
    pass


def _announced(headers: dict[bytes, bytes]) -> int:
    """Return the length that the body is said to have, 0 for none."""
    announced = headers.get(b"content-length", b"0")
    return int(announced[:20]) if announced.isdigit() else 0


def _has_body(headers: dict[bytes, bytes]) -> bool:
    return bool(_announced(headers)) or b"transfer-encoding" in headers


def _call(scope: Scope, headers: dict[bytes, bytes], request_id: str) -> Call:
    """Where the request comes from, for the audit log."""
    client = scope.get("client")
    agent = headers.get(b"user-agent", b"").decode("latin-1")
    return Call(client[0][:100] if client else None, agent or None, request_id)


def _first_of_each(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    return dict(reversed(headers))


def _parent(headers: dict[bytes, bytes]) -> Any:
    """The span of the caller, when the request names one."""
    if b"traceparent" not in headers:
        return None
    return propagate.extract(
        {
            name: headers[name.encode()].decode("latin-1")
            for name in ("traceparent", "tracestate")
            if name.encode() in headers
        }
    )


def _too_large(limit: int) -> KnowlogError:
    return TooLarge(
        f"The request's body is over the limit of {limit:,} bytes. Send less at once, or smaller files; the operator sets"
        " the limit of uploads with KNOWLOG_DOCUMENTS_MAX_UPLOAD_MB.",
        limit_bytes=limit,
    )
