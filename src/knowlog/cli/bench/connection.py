"""A lean HTTP/1.1 client: on two cores, what the measuring side burns is missing from the measured one."""

import asyncio
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import urlsplit

import httptools
import orjson

from knowlog.cli.client import Refused
from knowlog.kernel.errors import Unavailable


class Connections:
    """Keep-alive connections to one server with one key; a request takes a free one, or waits for it."""

    def __init__(self, url: str, key: str, count: int = 8) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        if parts.scheme != "http":
            raise Unavailable(
                "Benchmarks speak plain HTTP only. Aim them at the server itself, not at its TLS proxy."
            )
        self._head = f"Host: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n"
        self._free: asyncio.Queue[_Connection | None] = asyncio.Queue()
        for _ in range(count):
            self._free.put_nowait(None)

    async def post(self, path: str, value: Any) -> Any:
        """POST a JSON value and return the JSON answer. Raises Refused or Unavailable."""
        return await self._call("POST", path, orjson.dumps(value), "application/json")

    async def post_lines(self, path: str, values: list[Any]) -> Any:
        """POST values as newline-delimited JSON."""
        return await self._call("POST", path, b"\n".join(map(orjson.dumps, values)), "application/x-ndjson")

    async def get(self, path: str) -> Any:
        """GET a JSON value."""
        return await self._call("GET", path, b"", None)

    async def delete(self, path: str) -> Any:
        """DELETE."""
        return await self._call("DELETE", path, b"", None)

    async def _call(self, method: str, path: str, body: bytes, kind: str | None) -> Any:
        request = self._request(method, path, body, kind)
        connection = await self._free.get()
        try:
            if connection is None or connection.closed:
                connection = await self._open()
            status, answer = await connection.exchange(request)
        except OSError as error:
            connection = None
            raise Unavailable(f"The server at {self._host}:{self._port} broke off: {error}.") from error
        except BaseException:
            connection = None  # an answer may still be under way on it
            raise
        finally:
            self._free.put_nowait(connection)
        value = orjson.loads(answer) if answer else None
        if status >= 400:
            raise Refused(status, value if isinstance(value, dict) else {})
        return value

    def _request(self, method: str, path: str, body: bytes, kind: str | None) -> bytes:
        content = f"Content-Type: {kind}\r\n" if kind else ""
        return (
            f"{method} {path} HTTP/1.1\r\n{self._head}{content}Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )

    async def _open(self) -> "_Connection":
        _, connection = await asyncio.get_running_loop().create_connection(
            _Connection, self._host, self._port
        )
        return connection

    def renew(self) -> None:
        """Have the next requests open connections of their own, which servers that share the port share out anew."""
        count = self._free.qsize()
        self.close()
        for _ in range(count):
            self._free.put_nowait(None)

    def close(self) -> None:
        """Close every connection that is not in use."""
        while not self._free.empty():
            if (connection := self._free.get_nowait()) is not None:
                connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.closed = False
        self._parts: list[bytes] = []
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and return status and body of the answer.

        Raises ConnectionError when it is cut off.
        """
        self._parts = []
        self._parser = httptools.HttpResponseParser(self)
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio.Protocol)."""
        self._transport = cast("asyncio.Transport", transport)  # no faster loop's is of that class

    def data_received(self, data: bytes) -> None:
        """Feed the parser (asyncio.Protocol)."""
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the request under way (asyncio.Protocol)."""
        self.closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("connection closed"))

    def on_body(self, part: bytes) -> None:
        """Collect the body (httptools)."""
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """Hand over the answer (httptools). Where it was the connection's last, the next request makes another."""
        if not self._parser.should_keep_alive():
            self.closed = True
            self._transport.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), b"".join(self._parts)))
