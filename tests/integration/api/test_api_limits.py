"""What a real server takes from one client, and not more."""

import asyncio
import json
from collections.abc import AsyncIterator
from time import monotonic

import httpx
import pytest
from api_scene import Client, problem
from httpx import AsyncClient

MIB = 1024 * 1024


@pytest.fixture
async def http(alice: Client, address: str) -> AsyncIterator[AsyncClient]:
    """Alice, over a socket."""
    headers = {"Authorization": alice.headers["authorization"]}
    async with AsyncClient(base_url=address, headers=headers, timeout=30, trust_env=False) as client:
        yield client


async def raw(address: str, sent: bytes, wait_s: float = 5) -> bytes:
    """Send bytes as they are; returns everything until the server closes."""
    url = httpx.URL(address)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.read(), wait_s)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def body_of(answer: bytes) -> dict[str, object]:
    """The problem document of a raw answer."""
    found: dict[str, object] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


async def pieces(count: int, size: int = 65536) -> AsyncIterator[bytes]:
    """A body that does not tell its length."""
    for _ in range(count):
        yield b"x" * size


async def test_an_upload_of_500_mb_is_refused_by_its_announcement(http: AsyncClient) -> None:
    """Content-Length is enough: nothing of it is read, nothing is stored."""
    started = monotonic()
    answer = await raw(
        str(http.base_url),
        b"POST /v1/collections/handbook/documents HTTP/1.1\r\nHost: x\r\nContent-Length: 524288000\r\n"
        b"Expect: 100-continue\r\nAuthorization: " + http.headers["authorization"].encode() + b"\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"100 Continue" not in answer
    assert body_of(answer)["code"] == "too-large"
    assert monotonic() - started < 5
    assert (await http.get("/v1/documents")).json()["items"] == []


async def test_a_client_that_sends_everything_still_reads_the_refusal(http: AsyncClient) -> None:
    """Five times the limit, sent without looking: the answer is 413, not a broken connection."""
    answer = await http.post("/v1/collections/handbook/documents", content=b"x" * (15 * MIB))
    problem(answer, 413, "too-large")


async def test_a_body_without_a_length_is_counted(http: AsyncClient) -> None:
    """Chunked streams are cut off as they pass the limit."""
    answer = await http.post("/v1/collections/handbook/documents", content=pieces(100))
    problem(answer, 413, "too-large")
    assert (await http.get("/v1/documents")).json()["items"] == []


async def test_other_requests_have_a_smaller_limit(http: AsyncClient) -> None:
    """A question has no megabytes."""
    problem(await http.post("/v1/search", json={"question": "x" * 2 * MIB}), 413, "too-large")


async def test_an_upload_at_the_limit_passes(http: AsyncClient) -> None:
    """The limit is for the document; what wraps it does not count."""
    files = {"file": ("big.txt", b"word " * (2 * MIB // 5))}
    assert (await http.post("/v1/collections/handbook/documents", files=files)).status_code == 202


async def test_large_headers_are_refused(address: str) -> None:
    """431, whether in many lines or in one that does not end."""
    many = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 900) for n in range(40))
    answer = await raw(address, many + b"Connection: close\r\n\r\n")
    assert body_of(answer)["code"] == "headers-too-large"
    endless = await raw(address, b"GET / HTTP/1.1\r\nX: " + b"y" * 300_000)
    assert endless == b"" or body_of(endless)["code"] == "headers-too-large"


async def test_slow_headers_are_given_up(address: str) -> None:
    """A client that never finishes its headers does not hold a connection."""
    started = monotonic()
    answer = await raw(address, b"GET / HTTP/1.1\r\nHost: x\r\n")
    assert body_of(answer)["code"] == "request-timeout"
    assert monotonic() - started < 4


async def test_a_body_that_stops_coming_is_given_up(http: AsyncClient, address: str) -> None:
    """408 after the pause that is allowed."""
    answer = await raw(
        address,
        b"POST /v1/search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n"
        b"Connection: close\r\nAuthorization: "
        + http.headers["authorization"].encode()
        + b'\r\n\r\n{"question"',
    )
    assert body_of(answer)["code"] == "request-timeout"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_told(address: str, sent: bytes) -> None:
    """400 as a problem document."""
    assert body_of(await raw(address, sent))["status"] == 400


async def test_a_request_smuggled_behind_two_lengths_is_refused(address: str) -> None:
    """Content-Length and Transfer-Encoding together are no request."""
    answer = await raw(
        address,
        b"POST /v1/search HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"\r\nHTTP/1.1" not in answer


async def test_keep_alive_and_many_requests(http: AsyncClient) -> None:
    """One connection serves one request after the other, also after a refusal."""
    for _ in range(3):
        problem(await http.post("/v1/search", json={}), 422, "invalid")
        assert (await http.get("/v1/collections")).status_code == 200
