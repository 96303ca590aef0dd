"""Health and documentation, which answer without a key; figures, for the operator."""

import dataclasses
from collections.abc import AsyncIterator

import pytest
from api_scene import Client, client_of, problem
from fastapi import FastAPI

from knowlog.api import create_api
from knowlog.bootstrap import App
from knowlog.kernel.errors import Unavailable


@pytest.fixture
async def nobody(api: FastAPI) -> AsyncIterator[Client]:
    """A client without a key."""
    async with client_of(api, None) as client:
        yield client


class BrokenEmbedder:
    """A model that does not answer."""

    async def embed_query(self, text: str) -> object:
        """Fail."""
        raise Unavailable("The model is down. Start it.")


async def test_a_live_and_ready_server_says_so(nobody: Client) -> None:
    """Ready names each part."""
    assert (await nobody.get("/health/live")).json() == {"status": "ok"}
    ready = await nobody.get("/health/ready")
    assert ready.json() == {"status": "ok", "checks": {"database": "ok", "queue": "ok", "model": "ok"}}


async def test_an_overload_is_told_while_it_lasts(app: App) -> None:
    """Requests are to be sent all the same: those of who asks no more than its share are answered."""
    busy = create_api(app)
    for tenant in ("one", "other"):
        await busy.state.turns.take(tenant)
    busy.state.turns._overload = True
    async with client_of(busy, None) as client:
        ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert "more at once than can be answered" in ready.json()["checks"]["questions"]


async def test_a_server_without_its_model_is_ready_and_says_what_lacks(app: App) -> None:
    """Searching by words goes on, so requests are to be sent to it all the same."""
    broken = create_api(dataclasses.replace(app, embedder=BrokenEmbedder()))  # type: ignore[arg-type]
    async with client_of(broken, None) as client:
        ready = await client.get("/health/ready")
        assert (await client.get("/health/live")).status_code == 200
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["checks"] == {
        "database": "ok",
        "queue": "ok",
        "model": "The model is down. Start it.",
    }


async def test_figures_count_requests_and_the_queue(nobody: Client, operator: Client, alice: Client) -> None:
    """By route and status, never by tenant."""
    await alice.post("/v1/collections/handbook/documents", json={"text": "waiting"})
    figures = await operator.get("/metrics")
    assert figures.headers["content-type"].startswith("text/plain")
    assert 'route="/v1/collections/{collection}/documents",status="202"' in figures.text
    assert 'knowlog_queue_jobs{state="waiting"}' in figures.text
    assert 'knowlog_documents_unfinished{state="received"}' in figures.text
    assert "handbook" not in figures.text
    await nobody.get("/wp-login.php")
    assert "wp-login" not in (await operator.get("/metrics")).text


async def test_figures_are_for_the_operator(nobody: Client, alice: Client) -> None:
    """They count over all tenants: no key and a tenant's key are refused."""
    for client in (nobody, alice):
        refused = await client.get("/metrics")
        problem(refused, 401, "unauthenticated")
        assert refused.headers["www-authenticate"] == "Bearer"


async def test_the_documentation_loads_nothing_from_elsewhere(nobody: Client) -> None:
    """Every address on the page is on this server, and the policy forbids others."""
    page = await nobody.get("/docs")
    assert "https://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for part in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert part in page.text
        assert (await nobody.get(f"/docs/{part}")).status_code == 200
    problem(await nobody.get("/docs/redoc.standalone.js"), 404, "not-found")
    problem(await nobody.get("/docs/..%2f__init__.py"), 404, "not-found")


async def test_the_front_page_says_where_to_go(nobody: Client, operator: Client) -> None:
    """Each address that it names answers, the figures the operator alone."""
    links = (await nobody.get("/")).json()
    for name in ("documentation", "openapi", "health", "metrics"):
        client = operator if name == "metrics" else nobody
        assert (await client.get(links[name])).status_code == 200


async def test_every_answer_carries_its_headers(nobody: Client) -> None:
    """Request id, no sniffing, no caching, no framing."""
    answer = await nobody.get("/health/live", headers={"X-Request-ID": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_unknown_addresses_and_methods_are_told(nobody: Client, alice: Client) -> None:
    """404; and 405 with all methods that the address answers."""
    problem(await nobody.get("/v2"), 404, "not-found")
    problem(await nobody.get("/v1/collections/"), 404, "not-found")
    wrong = await alice.put("/v1/collections/handbook")
    problem(wrong, 405, "method-not-allowed")
    assert wrong.headers["allow"] == "DELETE, GET, PATCH"
    problem(await alice.request("BREW", "/v1/search"), 405, "method-not-allowed")
