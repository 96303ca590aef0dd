"""Nobody without a key exhausts a server: idle connections, unfinished bodies, wrong keys, slow streams of bytes."""

import asyncio
import contextlib
import dataclasses
import gzip
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic

import httpx
import pytest
import uvicorn
from api_scene import Client, problem, settled, upload, working
from fastapi import FastAPI

from knowlog.api import create_api
from knowlog.api.server import configuration, listen
from knowlog.bootstrap import App

PLACE = "/v1/collections/handbook/documents"
Served = tuple[str, FastAPI]
Serve = Callable[..., Awaitable[Served]]


@asynccontextmanager
async def running(app: App, **limits: object) -> AsyncIterator[Served]:
    """A real server with these limits; its address and application."""
    settings = dataclasses.replace(app.settings, api=app.settings.api.model_copy(update=limits))
    api = create_api(dataclasses.replace(app, settings=settings))
    listener = listen(settings.api)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)  # else the system takes whole megabytes
    server = uvicorn.Server(configuration(api, settings.api))
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield "http://{}:{}".format(*listener.getsockname()), api
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def serve(app: App) -> AsyncIterator[Serve]:
    """Start servers with limits of their own."""
    async with AsyncExitStack() as stack:

        async def start(**limits: object) -> Served:
            return await stack.enter_async_context(running(app, **limits))

        yield start


@asynccontextmanager
async def sending(address: str, sent: bytes, count: int = 1) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Hold connections open on which these bytes were sent."""
    url = httpx.URL(address)
    pairs = [await asyncio.open_connection(url.host, url.port) for _ in range(count)]
    try:
        for _, writer in pairs:
            writer.write(sent)
        await asyncio.sleep(0.2)
        yield [reader for reader, _ in pairs]
    finally:
        for _, writer in pairs:
            writer.close()


async def came(reader: asyncio.StreamReader, wait_s: float = 3) -> bytes:
    """What came until the server broke off, which it may do before all that was sent is read."""
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := await asyncio.wait_for(reader.read(65_536), wait_s):
            got += piece
    return got + bytes(reader._buffer)  # type: ignore[attr-defined]


def head(place: str, client: Client | None, *headers: str) -> bytes:
    """The head of a POST, with the client's key if there is one."""
    lines = [f"POST {place} HTTP/1.1", "Host: x", *headers]
    if client is not None:
        lines.append(f"Authorization: {client.headers['authorization']}")
    return "\r\n".join([*lines, "", ""]).encode()


async def answer(reader: asyncio.StreamReader, wait_s: float = 5) -> dict[str, object]:
    """The problem document with which a raw connection ends."""
    got = await asyncio.wait_for(reader.read(), wait_s)
    found: dict[str, object] = json.loads(got.partition(b"\r\n\r\n")[2].split(b"\r\n\r\n")[0])
    return found


async def health(address: str) -> list[int]:
    """What both health addresses answer on new connections."""
    async with httpx.AsyncClient(base_url=address, timeout=5, trust_env=False) as http:
        return [(await http.get(f"/health/{kind}")).status_code for kind in ("live", "ready")]


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        head("/v1/search", None, "Content-Length: 100") + b"{",
        head(PLACE, None, "Transfer-Encoding: chunked") + b"5\r\nhello\r\n",
        head("/nowhere", None, "Content-Length: 100") + b"{",
    ],
    ids=["idle", "half a head", "unfinished body", "unfinished chunks", "nowhere"],
)
async def test_strangers_close_only_each_other(serve: Serve, alice: Client, sent: bytes) -> None:
    """Many times as many connections as there may be: health answers, and so does everything with a key."""
    address, api = await serve(concurrency=16, waiting_per_address=100)
    async with sending(address, sent, 300):
        assert await health(address) == [200, 200]
        async with httpx.AsyncClient(headers=alice.headers, timeout=5, trust_env=False) as http:
            assert (await http.get(f"{address}/v1/collections")).status_code == 200
        assert api.state.connections.open <= 16 + 64 + 8


async def test_one_address_has_a_share_of_the_waiting(serve: Serve) -> None:
    """The longest-waiting connections of the address itself make room."""
    address, api = await serve(waiting_per_address=5)
    async with sending(address, b"", 20) as readers:
        assert [await asyncio.wait_for(reader.read(), 2) for reader in readers[:15]] == [b""] * 15
        assert api.state.connections.open == 5
        assert await health(address) == [200, 200]


async def test_a_stranger_is_refused_before_the_body_is_read(serve: Serve) -> None:
    """401 comes while the body has not; the connection ends."""
    address, _ = await serve(body_timeout_s=60)
    for place in ("/v1/search", PLACE, "/v1/collections"):
        async with sending(address, head(place, None, "Content-Length: 1000", "Expect: 100-continue")) as (
            one,
        ):
            assert (await answer(one, 2))["code"] == "unauthenticated"


async def test_a_connection_outlives_a_refusal_whose_body_was_read(serve: Serve) -> None:
    """A small body that is here already is thrown away, and the next request is answered on the same connection."""
    address, api = await serve()
    async with httpx.AsyncClient(base_url=address, timeout=5, trust_env=False) as http:
        for _ in range(3):
            problem(await http.post("/v1/search", json={"question": "x"}), 401, "unauthenticated")
        assert api.state.connections.open == 1


def unfinished(client: Client) -> bytes:
    """A question of which one byte has come."""
    return head("/v1/search", client, "Content-Length: 100") + b"{"


async def test_known_callers_are_kept_and_the_next_body_is_told(serve: Serve, alice: Client) -> None:
    """With a body coming on every place: 429 for the next body; what has none is answered."""
    address, api = await serve(concurrency=3, tenant_share=1, body_timeout_s=30)
    async with sending(address, unfinished(alice), 3), sending(address, b"", 100):
        assert (api.state.admission.arriving.taken, api.state.admission.working.taken) == (3, 0)
        assert await health(address) == [200, 200]
        async with httpx.AsyncClient(headers=alice.headers, timeout=5, trust_env=False) as http:
            refused = await http.post(f"{address}/v1/search", json={"question": "x"})
            assert (await http.get(f"{address}/v1/collections")).status_code == 200
        problem(refused, 429, "limit-reached")
    await asyncio.sleep(0.2)
    assert api.state.admission.arriving.taken == 0


async def test_one_tenant_takes_its_share_alone(
    serve: Serve, alice: Client, bob: Client, charlie: Client
) -> None:
    """A reader who sends 40 questions that never come whole is told 429; nobody else notices."""
    address, api = await serve(concurrency=16, body_timeout_s=30)
    async with (
        sending(address, unfinished(bob), 40),
        httpx.AsyncClient(base_url=address, timeout=5, trust_env=False) as http,
    ):
        async with asyncio.timeout(5):
            while api.state.admission.arriving.taken < 4:
                await asyncio.sleep(0.02)
        asked = {"question": "x"}
        assert (await http.post("/v1/search", json=asked, headers=charlie.headers)).status_code == 200
        assert (await http.get("/v1/collections", headers=charlie.headers)).status_code == 200
        refused = await http.post("/v1/search", json=asked, headers=alice.headers)
        problem(refused, 429, "limit-reached")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await http.get("/v1/collections", headers=alice.headers)).status_code == 200


async def test_a_body_that_does_not_come_is_ended(serve: Serve, bob: Client) -> None:
    """408, and its place is free."""
    address, api = await serve(concurrency=16, body_timeout_s=0.5)
    async with sending(address, unfinished(bob)) as (one,):
        assert b" 408 " in await asyncio.wait_for(one.readline(), 3)
        await asyncio.sleep(0.1)
        assert api.state.admission.arriving.taken == api.state.admission.working.taken == 0


async def test_a_reader_who_takes_nothing_is_cut_off(serve: Serve, alice: Client) -> None:
    """A download waits for its reader, for a time; nothing of the rest is sent, and the place is free."""
    address, api = await serve(answer_timeout_s=0.5, tenant_share=1)
    made = await alice.post(PLACE, content=bytes(2_000_000), headers={"Content-Type": "application/pdf"})
    document = made.json()["items"][0]["document_id"]
    wanted = f"GET /v1/documents/{document}/content HTTP/1.1\r\nHost: x\r\n"
    sent = f"{wanted}Authorization: {alice.headers['authorization']}\r\n\r\n".encode()
    async with small_readers(address, sent, 3):
        await asyncio.sleep(0.2)
        assert api.state.admission.working.taken == 3
        await asyncio.sleep(1)
        assert api.state.admission.working.taken == 0
        assert api.state.connections.open == 0


@asynccontextmanager
async def small_readers(address: str, sent: bytes, count: int) -> AsyncIterator[None]:
    """Connections whose system takes a few kilobytes, and nobody reads them."""
    url = httpx.URL(address)
    loop = asyncio.get_running_loop()
    sockets = []
    for _ in range(count):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.setblocking(False)
        await loop.sock_connect(one, (url.host, url.port))
        await loop.sock_sendall(one, sent)
        sockets.append(one)
    yield
    for one in sockets:
        one.close()


async def test_a_body_that_trickles_is_given_up(serve: Serve, alice: Client) -> None:
    """A byte now and then does not hold a place: there is a slowest rate."""
    address, _ = await serve(body_timeout_s=1, body_slowest_kb_s=1)
    url = httpx.URL(address)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(head("/v1/search", alice, "Content-Length: 100000"))
    started = monotonic()
    with contextlib.suppress(ConnectionError):
        while monotonic() - started < 6:
            writer.write(b"x")
            await asyncio.sleep(0.1)
            if writer.transport.is_closing() or reader.at_eof() or reader._buffer:  # type: ignore[attr-defined]
                break
    assert 1 < monotonic() - started < 4
    writer.close()


async def test_bytes_between_requests_do_not_hold_a_connection(serve: Serve) -> None:
    """Empty lines after an answer are no request: the connection ends like any that sends no headers."""
    address, _ = await serve(header_timeout_s=0.5)
    async with sending(address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as (reader,):
        url_writer = reader._transport  # type: ignore[attr-defined]
        url_writer.write(b"\r\n")
        started = monotonic()
        await asyncio.wait_for(reader.read(), 5)
        assert monotonic() - started < 2


@pytest.mark.parametrize(
    "endless",
    [b"5;" + b"x" * 300_000, b"0\r\nX: " + b"y" * 300_000, b"0\r\n" + b"X: y\r\n" * 60_000],
    ids=["chunk extension", "trailer", "trailers"],
)
async def test_what_brings_no_body_is_bounded(serve: Serve, alice: Client, endless: bytes) -> None:
    """Extensions of chunks, and trailers, are counted as headers are."""
    address, _ = await serve()
    async with sending(address, head("/v1/search", alice, "Transfer-Encoding: chunked") + endless) as (
        reader,
    ):
        assert b"431" in (await came(reader)).split(b"\r\n")[0]


async def test_ten_thousand_headers_are_refused(serve: Serve) -> None:
    """However short they are."""
    address, _ = await serve()
    many = b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * 10_000 + b"\r\n"
    async with sending(address, many) as (reader,):
        assert b"431" in (await asyncio.wait_for(reader.readline(), 3))
    few = b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * 150 + b"Connection: close\r\n\r\n"
    async with sending(address, few) as (reader,):
        assert (await answer(reader))["code"] == "headers-too-large"


async def test_wrong_keys_are_counted_by_address(serve: Serve, alice: Client) -> None:
    """A guesser is told 429; a key that was right before is heard all the same."""
    address, _ = await serve(wrong_keys_per_minute=5)
    wrong = {"authorization": alice.headers["authorization"][:-4] + "AAAA"}
    async with httpx.AsyncClient(base_url=address, timeout=5, trust_env=False) as http:
        assert (await http.get("/v1/collections", headers=alice.headers)).status_code == 200
        codes = [(await http.get("/v1/collections", headers=wrong)).status_code for _ in range(7)]
        assert codes == [401] * 5 + [429] * 2
        assert (await http.get("/v1/collections", headers=alice.headers)).status_code == 200


async def test_bodies_have_a_bound_together(serve: Serve, alice: Client, charlie: Client) -> None:
    """What would not fit is refused before it is read, with 429; another tenant finds room; later all fits."""
    address, api = await serve(bodies_in_flight_mb=2, body_timeout_s=30)
    await charlie.post("/v1/collections", json={"name": "handbook"})
    async with (
        sending(address, head(PLACE, alice, "Content-Type: text/plain", "Content-Length: 900000") + b"x"),
        httpx.AsyncClient(base_url=address, timeout=10, trust_env=False) as http,
    ):
        assert api.state.admission.bytes == 900_000
        refused = await http.post(PLACE, content=b"x" * 900_000, headers=alice.headers)
        problem(refused, 429, "limit-reached")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await http.post(PLACE, content=b"y" * 900_000, headers=charlie.headers)).status_code == 202

        async def unannounced() -> AsyncIterator[bytes]:
            for _ in range(30):
                yield b"x" * 30_000

        problem(await http.post(PLACE, content=unannounced(), headers=alice.headers), 429, "limit-reached")
    await asyncio.sleep(0.2)
    assert api.state.admission.bytes == 0
    async with httpx.AsyncClient(base_url=address, timeout=10, trust_env=False) as http:
        assert (await http.post(PLACE, content=b"z" * 1_900_000, headers=alice.headers)).status_code == 202


async def test_a_large_text_needs_room_as_bodies_do(app: App, serve: Serve, alice: Client) -> None:
    """It counts with what its tenant has in memory already; a span of it needs no more than the span."""
    address, api = await serve(bodies_in_flight_mb=2, body_timeout_s=30)
    async with working(app):
        document = await upload(alice, "room for a word " * 20_000)
        assert (await settled(alice, document))["state"] == "indexed"
    place = f"/v1/documents/{document}/text"
    async with httpx.AsyncClient(
        base_url=address, headers=alice.headers, timeout=10, trust_env=False
    ) as http:
        async with sending(address, head(PLACE, alice, "Content-Type: text/plain", "Content-Length: 900000")):
            problem(await http.get(place), 429, "limit-reached")
            assert (await http.get(place, params={"end": 100})).status_code == 200
        await asyncio.sleep(0.2)
        assert (await http.get(place)).status_code == 200
        assert api.state.admission.bytes == 0


async def test_compressed_bodies_are_refused(alice: Client) -> None:
    """A bomb is not unpacked, and not taken for text either."""
    bomb = gzip.compress(b"x" * 1_000_000)
    refused = await alice.post(PLACE, content=bomb, headers={"Content-Encoding": "gzip"})
    problem(refused, 415, "unsupported-type")


@pytest.mark.parametrize("length", ["abc", "-1", "5, 5", "99999999999999999999999"])
async def test_a_content_length_that_is_none_is_refused(serve: Serve, alice: Client, length: str) -> None:
    """Neither a guess nor a hang."""
    address, _ = await serve()
    async with sending(address, head(PLACE, alice, f"Content-Length: {length}")) as (reader,):
        assert (await answer(reader, 3))["status"] in {400, 413}


def form(*parts: bytes) -> tuple[bytes, dict[str, str]]:
    """A multipart body of these parts, and its headers."""
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([b'Content-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nx'] * 20_000, 400),
        ([b'Content-Disposition: form-data; name="x"\r\n\r\ny'] * 20_000, 400),
        ([b'Content-Disposition: form-data; name="title"\r\n\r\n' + b"t" * 2_000_000], 400),
        ([b"X: " + b"y" * 2_000_000 + b"\r\n\r\nz"], 400),
        ([b"X: y\r\n" * 100_000 + b"\r\nz"], 400),
        ([b"\r\nno disposition"], 400),
    ],
    ids=["files", "fields", "long field", "long header", "headers", "nameless"],
)
async def test_hostile_forms_are_refused(alice: Client, parts: list[bytes], status: int) -> None:
    """Many tiny parts, huge fields and endless headers of parts end early and clearly."""
    body, headers = form(*parts)
    started = monotonic()
    problem(await alice.post(PLACE, content=body, headers=headers), status, "bad-request")
    assert monotonic() - started < 2


async def test_a_form_is_read_as_utf8_whatever_it_says(alice: Client) -> None:
    """Some encodings take minutes for a megabyte; a form of today is UTF-8."""
    body, headers = form(
        b'Content-Disposition: form-data; name="title"\r\n\r\n' + b"a" * 60_000 + b"-" + b"z9" * 100_000
    )
    headers["Content-Type"] += "; charset=punycode"
    started = monotonic()
    answered = await alice.post(PLACE, content=body, headers=headers)
    assert answered.status_code == 415
    assert monotonic() - started < 1
