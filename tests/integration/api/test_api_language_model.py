"""A language model of a tenant's own: asked first, kept secret, and nobody else's trouble."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from api_scene import Client, client_of, problem
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from knowlog.api import create_api
from knowlog.bootstrap import App
from knowlog.edge import ReachTransport, reach_of_models
from knowlog.llm import LlmSettings, OwnModels, open_providers
from language_model_server import ModelServer, serving

ASKED = {"question": "How long does the warranty of the probe last?", "mode": "generated"}
CANARY = "sk-canary-8c21-never-to-be-seen"
PLACE = "/v1/language-model"


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    """The endpoint that Alice has."""
    async with serving() as served:
        served.key = CANARY
        yield served


@pytest.fixture
def entrusting(app: App, server: ModelServer):
    """The application of an operator who lets this very endpoint be asked, and has a model of its own."""
    llm = LlmSettings(private_hosts=frozenset({f"127.0.0.1:{server.port}"}), timeout_s=2, slow_s=1)
    own = OwnModels(app.database, app.vault, llm, lambda: ReachTransport(reach_of_models(llm.private_hosts)))
    providers = open_providers(LlmSettings(model="fake"))
    return replace(app, settings=replace(app.settings, llm=llm), own_models=own, providers=providers)


@pytest.fixture
async def clients(
    entrusting: App, alice: Client, bob: Client, charlie: Client
) -> AsyncIterator[list[Client]]:
    """Alice, Bob and Charlie there."""
    api = create_api(entrusting)
    made = [
        client_of(api, each.headers["authorization"].removeprefix("Bearer "))
        for each in (alice, bob, charlie)
    ]
    yield made
    for each in made:
        await each.aclose()


def entrusted(server: ModelServer, **changes: Any) -> dict[str, Any]:
    return {
        "model": "openai:small", "url": f"http://127.0.0.1:{server.port}/v1", "api_key": CANARY, **changes
    }  # fmt: skip


async def test_it_is_asked_before_the_operators(clients, server: ModelServer, warranty: str) -> None:
    """From the next question to the last before it is removed; its key is never shown."""
    alice, *_ = clients
    assert (await alice.post("/v1/answers", json=ASKED)).json()["rung"] == "generated"
    assert server.asked == []
    kept = await alice.put(PLACE, json=entrusted(server))
    shown = await alice.get(PLACE)
    assert (kept.status_code, shown.json()) == (200, kept.json()), kept.text
    assert (kept.json()["hint"], kept.json()["state"], CANARY in kept.text) == (CANARY[-4:], "closed", False)
    assert (await alice.post(f"{PLACE}:check")).json() == {
        "answers": True,
        "told": "It answers (100 tokens).",
    }
    assert (await alice.post("/v1/answers", json=ASKED)).json()["rung"] == "generated"
    assert (await alice.post("/v1/search", json={"question": "probe", "pattern": "step_back"})).is_success
    assert len(server.asked) == 3
    assert (await alice.delete(PLACE)).status_code == 204
    await alice.post("/v1/answers", json=ASKED)
    assert len(server.asked) == 3
    problem(await alice.get(PLACE), 404, "not-found")
    assert (await alice.get("/v1/secrets")).json()["items"] == []


@pytest.mark.parametrize(("alone", "rung"), [(False, "generated_by_second"), (True, "extractive")])
async def test_one_that_fails_is_nobody_elses_trouble(
    clients, entrusting: App, server: ModelServer, warranty: str, alone: bool, rung: str
) -> None:
    """The operator's model stands in, where that is wanted; other tenants' breakers stay as they are."""
    alice, _, charlie = clients
    await alice.put(PLACE, json=entrusted(server, alone=alone))
    await charlie.put(PLACE, json=entrusted(server))
    server.mood = "fails"
    for _ in range(12):
        answer = (await alice.post("/v1/answers", json=ASKED)).json()
        assert (answer["rung"], answer["degraded"]) == (rung, ["llm"])
    assert len(server.asked) <= 12  # then it was left alone
    assert (await alice.get(PLACE)).json()["state"] != "closed"
    assert (await charlie.get(PLACE)).json()["state"] == "closed"
    assert {each.guard.breaker.state for each in entrusting.providers} == {"closed"}


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/v1", "https://localhost/v1", "https://[::1]/v1", "https://169.254.169.254/v1", "https://2130706433",
     "http://example.com/v1", "https://u:p@example.com/v1", "https://example.com/v1?key=1", "https://example.com:22/v1",
     "file:///etc/passwd", "https://10.0.0.1/v1"],
)  # fmt: skip
async def test_it_leads_nowhere_inside(clients, server: ModelServer, url: str) -> None:
    """Refused when it is given; nothing is kept."""
    alice, *_ = clients
    refused = await alice.put(PLACE, json=entrusted(server, url=url))
    problem(refused, 422, "invalid")
    assert CANARY not in refused.text
    problem(await alice.get(PLACE), 404, "not-found")


async def test_a_name_that_leads_inside_later_is_not_called(entrusting: App, server: ModelServer) -> None:
    """It is looked up for each call, and what was looked up is what is called."""

    async def inside(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    transport = ReachTransport(reach_of_models(frozenset()), inside)
    async with httpx.AsyncClient(transport=transport, base_url="https://rebound.example/v1") as client:
        with pytest.raises(httpx.ConnectError, match="no public address"):
            await client.post("chat/completions", json={})
    assert server.asked == []


async def test_only_admins_of_the_whole_tenant_have_a_hand_in_it(clients, server: ModelServer) -> None:
    """A reader neither sees nor changes it; a stranger has none."""
    alice, bob, charlie = clients
    await alice.put(PLACE, json=entrusted(server))
    calls = (
        bob.get(PLACE),
        bob.put(PLACE, json=entrusted(server)),
        bob.delete(PLACE),
        bob.post(f"{PLACE}:check"),
    )
    for refused in [await call for call in calls]:
        problem(refused, 403, "forbidden")
    problem(await charlie.get(PLACE), 404, "not-found")
    problem(await charlie.delete(PLACE), 404, "not-found")
    actions = [each["action"] for each in (await alice.get("/v1/audit")).json()["items"]]
    assert "language_model.kept" in actions


@pytest.mark.parametrize("mood", ["well", "echo", "no key", "fails"])
async def test_the_key_is_in_no_log_trace_or_error(
    clients, server: ModelServer, warranty: str, mood: str, caplog, monkeypatch
) -> None:
    """Though the endpoint sends it back, and everything is logged."""
    spans = InMemorySpanExporter()
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    for place in ("knowlog.edge.gate._tracer", "knowlog.retrieval.legs._TRACER"):
        monkeypatch.setattr(place, tracing.get_tracer("knowlog"))
    caplog.set_level(logging.DEBUG)
    alice, *_ = clients
    told = [await alice.put(PLACE, json=entrusted(server))]
    server.mood = mood  # type: ignore[assignment]
    told += [
        await alice.post(f"{PLACE}:check"),
        await alice.post("/v1/answers", json=ASKED),
        await alice.get(PLACE),
    ]
    told += [await alice.get("/v1/audit"), await alice.get("/v1/events")]
    heard = "".join(str(each.__dict__) for each in caplog.records if each.name.startswith("knowlog"))
    traced = "".join(each.to_json() for each in spans.get_finished_spans())
    assert CANARY not in "".join(each.text for each in told) + heard + traced


@pytest.mark.parametrize(
    "body",
    [{"model": "anthropic:x"}, {"model": "openai:"}, {"model": "openai:a b"}, {"api_key": ""}, {"api_key": f"{CANARY}\0"},
     {"url": "x" * 9}, {"url": ""}, {"more": 1}, {"alone": "perhaps"}],
)  # fmt: skip
async def test_what_cannot_be_is_refused(clients, server: ModelServer, body: dict[str, Any]) -> None:
    """Clearly, without the key, and nothing is kept."""
    alice, *_ = clients
    refused = await alice.put(PLACE, json=entrusted(server, **body))
    problem(refused, 422, "invalid")
    assert CANARY not in refused.text
    problem(await alice.get(PLACE), 404, "not-found")
