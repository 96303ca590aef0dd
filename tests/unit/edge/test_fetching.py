"""Fetching by URL, attacked: nothing connects to an address that was not checked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from knowlog.edge import ApiSettings
from knowlog.edge.fetching import FetchFailed, fetch
from knowlog.kernel.errors import Invalid, TooLarge

MOST = 1000
Answer = Callable[[str], bytes]

WAYS_TO_LOCALHOST = [
    "127.0.0.1", "127.1", "127.0.1", "0", "0.0.0.0", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1",
    "017700000001",
    "localhost", "LOCALHOST", "localhost.", "[::1]", "[::]", "[::127.0.0.1]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]", "[fec0::1]", "169.254.169.254", "0xa9fea9fe",
    "10.0.0.1",
    "192.168.0.1", "100.64.0.1", "224.0.0.1", "[fd00:ec2::254]", "①②⑦.0.0.1",
]  # fmt: skip


class Server:
    """A web server of one connection a request, which notes what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.requests: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(self._answer(self.requests[-1].split(" ")[1]))
        await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Server]:
    """Run a server for the time of a test."""
    server = Server(answer)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield server


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A whole answer."""
    head = "\r\n".join((f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers))
    return head.encode() + b"\r\n\r\n" + body


def resolving(*answers: Sequence[str]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """A resolver that gives another answer each time, as an attacker's would."""
    left = list(answers)

    async def resolver(_host: str, _port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolver


def trusting(server: Server, *names: str) -> ApiSettings:
    """Settings under which the server may be fetched from, by these names only."""
    return ApiSettings(
        fetch_private_hosts=frozenset(f"{name}:{server.port}" for name in names), fetch_timeout_s=2
    )


@pytest.mark.parametrize("host", WAYS_TO_LOCALHOST)
async def test_private_addresses_are_refused_in_every_writing(host: str) -> None:
    """However an inner address is written, nothing is fetched from it."""
    with pytest.raises(Invalid):
        await fetch(f"http://{host}/", ApiSettings(), MOST)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "gopher://example.com/", "ftp://example.com/x", "//example.com/x", "example.com", "http://",
     "http://user:secret@example.com/", "http://example.com@127.0.0.1/", "http://[::1", "http://a b/", "http://a%00b/", "http:///x",
     "data:text/plain,hello", "javascript:alert(1)", "http://example.com:99999/"],
)  # fmt: skip
async def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    """Other schemes, user names and malformed addresses are refused before anything is resolved."""
    with pytest.raises(Invalid):
        await fetch(url, ApiSettings(), MOST, resolving(["93.184.216.34"]))


@pytest.mark.parametrize("port", [22, 25, 5432, 6379, 5672, 8080])
async def test_other_ports_are_refused(port: int) -> None:
    """Databases and mail servers of the internet are not reached either."""
    with pytest.raises(Invalid, match="port"):
        await fetch(f"http://example.com:{port}/", ApiSettings(), MOST, resolving(["93.184.216.34"]))


async def test_one_private_address_among_public_ones_is_enough() -> None:
    """A name that has an inner address beside an outer one is refused as a whole."""
    with pytest.raises(Invalid, match="public"):
        await fetch("http://mixed.example/", ApiSettings(), MOST, resolving(["93.184.216.34", "127.0.0.1"]))


async def test_unknown_and_private_names_are_told_the_same() -> None:
    """The words do not tell which names exist inside."""

    async def fails(_host: str, _port: int) -> Sequence[str]:
        raise OSError

    said = []
    for resolver in (fails, resolving(["10.0.0.1"]), resolving([])):
        with pytest.raises(Invalid) as caught:
            await fetch("http://inner.example/", ApiSettings(), MOST, resolver)
        said.append(caught.value.detail)
    assert len(set(said)) == 1


async def test_a_name_that_changes_its_mind_gains_nothing() -> None:
    """The connection goes to the address that was checked, whatever the name says a moment later."""
    async with serving(lambda _path: response(b"secret")) as server:
        resolver = resolving(["192.0.2.7"], ["127.0.0.1"])
        settings = ApiSettings(fetch_ports=frozenset({server.port}))
        with pytest.raises(Invalid):
            await fetch(f"http://rebinding.example:{server.port}/", settings, MOST, resolver)
        assert server.requests == []


@pytest.mark.parametrize(
    "place", ["http://127.0.0.1/", "http://[::1]/", "file:///etc/passwd", "http://0x7f.1/", "//10.0.0.1/"]
)
async def test_a_redirect_inwards_is_refused(place: str) -> None:
    """Each hop is checked as the first was."""
    async with serving(lambda _path: response(b"", f"location: {place}", status="302 Found")) as server:
        with pytest.raises(Invalid):
            await fetch(
                f"http://outer.example:{server.port}/",
                trusting(server, "outer.example"),
                MOST,
                resolving(["127.0.0.1"]),
            )
        assert len(server.requests) == 1


async def test_a_redirect_to_another_name_loses_the_trust_in_the_first() -> None:
    """A host that is allowed by name cannot hand its permission to another."""
    async with serving(
        lambda _path: response(b"", f"location: http://other.example:{server.port}/", status="301 Moved")
    ) as server:
        with pytest.raises(Invalid):
            await fetch(
                f"http://inner.example:{server.port}/",
                trusting(server, "inner.example"),
                MOST,
                resolving(["127.0.0.1"]),
            )


async def test_redirects_end() -> None:
    """More than five redirects are refused."""
    async with serving(lambda _path: response(b"", "location: /again", status="302 Found")) as server:
        with pytest.raises(FetchFailed, match="redirects"):
            await fetch(
                f"http://inner.example:{server.port}/",
                trusting(server, "inner.example"),
                MOST,
                resolving(["127.0.0.1"]),
            )
        assert len(server.requests) == 6


async def test_a_document_is_fetched_with_its_name_and_type() -> None:
    """An allowed address gives bytes, media type and a file name; the Host header names the host, not the
    number.
    """
    answer = response(
        b"hello",
        "content-type: Text/Plain; charset=utf-8",
        'content-disposition: attachment; filename="a/../b.txt"',
    )
    async with serving(lambda _path: answer) as server:
        got = await fetch(
            f"http://inner.example:{server.port}/x",
            trusting(server, "inner.example"),
            MOST,
            resolving(["127.0.0.1"]),
        )
    assert (got.content, got.media_type, got.filename) == (
        b"hello",
        "text/plain; charset=utf-8",
        "a_.._b.txt",
    )
    assert f"Host: inner.example:{server.port}" in server.requests[0]
    assert "authorization" not in server.requests[0].lower()


@pytest.mark.parametrize("headers", [(), ("content-length: 2000",)])
async def test_a_document_over_the_limit_is_cut_off(headers: tuple[str, ...]) -> None:
    """The limit holds whether or not the server announces the size."""
    body = (
        "\r\n".join(("HTTP/1.1 200 OK", "connection: close", *headers)).encode() + b"\r\n\r\n" + b"x" * 2000
    )
    async with serving(lambda _path: body) as server:
        with pytest.raises(TooLarge):
            await fetch(
                f"http://inner.example:{server.port}/",
                trusting(server, "inner.example"),
                MOST,
                resolving(["127.0.0.1"]),
            )


@pytest.mark.parametrize(
    "answer",
    [
        response(b"", status="404 Not Found"),
        response(b"x", "content-encoding: gzip"),
        b"not http at all\r\n\r\n",
        b"",
    ],
)
async def test_what_is_no_document_fails_with_a_reason(answer: bytes) -> None:
    """Errors, compressed content that may be a bomb, and nonsense end as one sentence."""
    async with serving(lambda _path: answer) as server:
        with pytest.raises(FetchFailed) as caught:
            await fetch(
                f"http://inner.example:{server.port}/",
                trusting(server, "inner.example"),
                MOST,
                resolving(["127.0.0.1"]),
            )
    assert caught.value.detail.endswith(".")


async def test_a_server_that_trickles_is_given_up() -> None:
    """The time limit is for the whole, not for each piece."""

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n")
        for _ in range(100):
            writer.write(b"x")
            await asyncio.sleep(0.02)

    listener = await asyncio.start_server(trickle, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    settings = ApiSettings(fetch_private_hosts=frozenset({f"slow.example:{port}"}), fetch_timeout_s=0.2)
    async with listener:
        with pytest.raises(FetchFailed, match="did not answer"):
            await fetch(f"http://slow.example:{port}/", settings, MOST, resolving(["127.0.0.1"]))
