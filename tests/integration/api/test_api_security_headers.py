"""What every answer tells a browser, whatever it answers; and how much of a header is read."""

import asyncio
from time import monotonic

import httpx
import pytest
from api_scene import Client, problem
from fastapi import FastAPI
from hint_scene import with_settings

from knowlog.bootstrap import App

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
TENANT_DATA = (
    "/v1/collections",
    "/v1/documents",
    "/v1/keys",
    "/v1/events",
    "/v1/jobs",
    "/v1/webhooks",
    "/v1/origins",
)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 200), ("GET", "/docs", 200), ("GET", "/docs/nothing.js", 404), ("GET", "/openapi.json", 200),
     ("GET", "/v1/collections", 200), ("GET", "/v1/nothing", 404), ("GET", "/metrics", 401), ("PUT", "/v1/keys", 405),
     ("POST", "/v1/search", 422), ("GET", "/health/ready", 200), ("TRACE", "/", 405)],
)  # fmt: skip
async def test_every_answer_has_the_headers(alice: Client, method: str, path: str, status: int) -> None:
    """Also refusals and open pages. Nothing names the software that serves."""
    answer = await alice.request(method, path, **({"json": {}} if method == "POST" else {}))
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in EVERYWHERE} == EVERYWHERE
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "default-src 'none'" in policy  # and object-src with it
    assert "server" not in answer.headers
    assert "x-powered-by" not in answer.headers


@pytest.mark.parametrize("path", TENANT_DATA)
async def test_no_cache_keeps_what_is_a_tenants(alice: Client, path: str) -> None:
    """Neither a browser's nor a proxy's."""
    assert (await alice.get(path)).headers["cache-control"] == "no-store"


async def test_the_pages_policy_lets_its_own_parts_alone_in(alice: Client) -> None:
    """Nothing from elsewhere is loaded, and nothing sent elsewhere."""
    policy = (await alice.get("/docs")).headers["content-security-policy"]
    sources = {word for part in policy.split(";") for word in part.split()[1:]}
    assert sources <= {"'none'", "'self'", "'unsafe-inline'", "data:"}


async def test_hsts_is_told_by_tls_alone(app: App, alice: Client) -> None:
    """As we, or a proxy that we trust, know it; anybody else may say what they like."""
    api = with_settings(app, trusted_proxies={"10.0.0.1"})
    told = []
    for peer, scheme in (("10.0.0.1", "https"), ("10.0.0.1", "http"), ("203.0.113.1", "https")):
        transport = httpx.ASGITransport(app=api, client=(peer, 1))
        async with Client(transport=transport, base_url="http://x") as http:
            answer = await http.get("/health/live", headers={"X-Forwarded-Proto": scheme})
        told.append(answer.headers.get("strict-transport-security"))
    assert told == ["max-age=31536000; includeSubDomains", None, None]


async def test_hsts_can_be_left_out(app: App) -> None:
    """Where other services share the domain."""
    transport = httpx.ASGITransport(app=with_settings(app, hsts_s=0))
    async with Client(transport=transport, base_url="https://x") as http:
        assert "strict-transport-security" not in (await http.get("/health/live")).headers


@pytest.mark.parametrize("where", ["header", "query"])
async def test_one_long_line_is_refused(api: FastAPI, alice: Client, where: str) -> None:
    """8 kB is the longest header, and the longest query: no token is longer, and no question is asked in an address."""
    long = "x" * 9000
    sent = {"headers": {"X-Long": long}} if where == "header" else {"params": {"cursor": long}}
    problem(await alice.get("/v1/collections", **sent), 431, "headers-too-large")  # type: ignore[arg-type]


async def test_headers_that_drip_are_given_up(address: str) -> None:
    """One byte after the other does not hold a connection: the time is for all headers together."""
    url, started = httpx.URL(address), monotonic()
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Drip: ")

    async def drip() -> None:
        while not reader.at_eof():
            writer.write(b"x")
            await asyncio.sleep(0.1)

    dripping = asyncio.create_task(drip())
    answer = await asyncio.wait_for(reader.read(), 10)
    dripping.cancel()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408")
    assert monotonic() - started < 4  # the setting is one second


async def test_a_raw_refusal_has_the_headers_too(address: str) -> None:
    """What is refused before it is a request."""
    url = httpx.URL(address)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"NONSENSE\r\n\r\n")
    answer = (await asyncio.wait_for(reader.read(), 10)).lower()
    writer.close()
    assert b"x-content-type-options: nosniff" in answer
    assert b"cache-control: no-store" in answer
    assert b"\r\nserver:" not in answer
