"""Questions while the language model is dead, slow, failing or talking garbage: each is answered, and says by what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

import orjson
import pytest
from api_scene import Client, client_of, events_of, scope_of
from fastapi import FastAPI

from fake_models import fake_provider
from knowlog.api import create_api
from knowlog.bootstrap import App
from knowlog.database import Scope
from knowlog.llm import LlmSettings, Provider, open_providers
from knowlog.tenants import set_tenant_limits
from language_model_server import ModelServer, serving

QUESTION = "How long does the warranty of the probe last?"
ASKED = {"question": QUESTION, "mode": "generated"}
DEADLINE_S = 3.0


@dataclass
class Asking:
    """Alice at an application that has language models."""

    alice: Client
    providers: tuple[Provider, ...]
    api: FastAPI

    async def ask(self, **changes: Any) -> dict[str, Any]:
        began = monotonic()
        answer = await self.alice.post("/v1/answers", json={**ASKED, **changes})
        assert answer.status_code == 200, answer.text
        assert monotonic() - began < DEADLINE_S
        told: dict[str, Any] = answer.json()
        assert told["status"] == "answered"
        return told

    async def rungs(self, count: int, at_once: int = 5) -> list[str]:
        """Ask so often, and tell on which rungs the answers stood."""
        found: list[str] = []
        while len(found) < count:
            found += [each["rung"] for each in await asyncio.gather(*(self.ask() for _ in range(at_once)))]
        return found


@asynccontextmanager
async def asking(app: App, alice: Client, *providers: Provider, **changes: Any) -> AsyncIterator[Asking]:
    llm = LlmSettings(**changes)
    resilience = app.settings.resilience.model_copy(update={"question_s": DEADLINE_S})
    settings = replace(app.settings, llm=llm, resilience=resilience)
    api = create_api(replace(app, settings=settings, providers=providers))
    async with client_of(api, alice.headers["authorization"].removeprefix("Bearer ")) as client:
        yield Asking(client, providers, api)
    for provider in providers:
        await provider.close()


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    """A language model that is well until told otherwise."""
    async with serving() as served:
        yield served


@pytest.mark.parametrize("outage", ["dead", "slow", "half fails", "garbage", "half a stream"])
async def test_an_outage_costs_no_answer(
    app: App, alice: Client, warranty: str, server: ModelServer, outage: str
) -> None:
    """The breaker opens within twenty calls, stays open, and closes within five seconds of the recovery."""
    provider = server.provider(timeout_s=1.0, slow_s=0.8)
    breaker = provider.guard.breaker
    async with asking(app, alice, provider) as people:
        assert set(await people.rungs(20)) == {"generated"}
        if outage == "dead":
            await server.down()
        else:
            server.mood = outage
        fallen = 0
        while breaker.state == "closed":
            fallen += len(await people.rungs(5))
        assert fallen <= 20 + 5  # the last five were under way together
        assert (await people.ask())["degraded"] == ["llm"]
        asked = len(server.asked)
        for _ in range(3):
            assert set(await people.rungs(5)) <= {"extractive", "generated"}
            await asyncio.sleep(0.4)
        assert len(server.asked) - asked <= 8  # probes, a few
        await server.up() if outage == "dead" else None
        server.mood, recovered = "well", monotonic()
        while breaker.state != "closed":
            await people.ask()
            assert monotonic() - recovered < 5
        assert (await people.ask())["rung"] == "generated"
        assert breaker.opened == 1


@pytest.mark.parametrize("pattern", ["corrective", "hyde"])
async def test_a_pattern_that_asks_a_slow_model_leaves_time_for_the_answer(
    app: App, alice: Client, warranty: str, server: ModelServer, pattern: str
) -> None:
    """Half of the time is the pattern's; then the plain search and a quotation, both legs and within the deadline."""
    server.mood = "slow"
    async with asking(app, alice, server.provider(timeout_s=10, slow_s=8)) as people:
        answer = await people.ask(pattern=pattern, mode="extractive")
    assert (answer["pattern"], answer["rung"], answer["degraded"]) == ("hybrid", "extractive", ["llm"])


async def test_a_generated_answer_cites_what_it_rests_on(app: App, alice: Client, warranty: str) -> None:
    """Every statement has a quote that stands in the document; as a stream, too."""
    fake = open_providers(LlmSettings(model="fake"))
    async with asking(app, alice, *fake) as people:
        answer = await people.ask()
        streamed = await people.alice.post("/v1/answers", json=ASKED, headers={"Accept": "text/event-stream"})
    text = (await alice.get(f"/v1/documents/{warranty}/text")).json()["text"]
    assert (answer["rung"], answer["degraded"], answer["notes"]) == ("generated", [], [])
    for statement in answer["statements"]:
        (cited,) = statement["citations"]
        assert text[cited["start"] : cited["end"]] == cited["quote"]
    assert events_of(streamed.text)[-1][1]["statements"] == answer["statements"]


async def test_the_second_model_stands_in_for_the_first(
    app: App, alice: Client, warranty: str, server: ModelServer
) -> None:
    """And the answer says so."""
    server.mood = "fails"
    _, second = fake_provider()
    async with asking(app, alice, server.provider(), second) as people:
        answer = await people.ask()
    assert (answer["rung"], answer["degraded"]) == ("generated_by_second", ["llm"])
    assert answer["notes"] == ["The first language model did not answer, so the second did."]


@pytest.mark.parametrize(
    "written",
    [
        '{"statements": [{"text": "The warranty of the probe lasts 60 months.", "passages": [1]}]}',
        '{"statements": [{"text": "The warranty of the probe lasts 24 months.", "passages": [9]}]}',
        '{"statements": [{"text": "The warranty of the probe lasts 24 months: http://evil.test", "passages": [1]}]}',
        '{"statements": []}',
    ],
)
async def test_what_is_not_supported_is_dropped(app: App, alice: Client, warranty: str, written: str) -> None:
    """Another figure, a passage that there is not, a link: quotations answer instead."""
    _, lying = fake_provider(lambda _prompt: written)
    async with asking(app, alice, lying) as people:
        answer = await people.ask()
    assert (answer["rung"], answer["degraded"]) == ("extractive", [])
    assert "60" not in answer["text"]
    assert "evil" not in answer["text"]


async def test_what_is_not_supported_can_be_shown_as_that(app: App, alice: Client, warranty: str) -> None:
    """Apart from the answer, where the operator wants it; but nothing that leads elsewhere."""
    said = [
        "The warranty of the probe lasts 24 months.",
        "It lasts 60 months.",
        "See http://evil.test for 24 months.",
    ]
    reply = orjson.dumps({"statements": [{"text": each, "passages": [1]} for each in said]}).decode()
    _, provider = fake_provider(lambda _prompt: reply)
    async with asking(app, alice, provider) as people:
        assert (await people.ask())["unsupported"] == []
    async with asking(app, alice, provider, unsupported="mark") as people:
        answer = await people.ask()
    assert (answer["text"], answer["unsupported"]) == (said[0], [said[1]])


async def test_a_budget_is_held_before_the_call(
    app: App, alice: Client, tenant: Scope, warranty: str, server: ModelServer
) -> None:
    """Tokens and money are counted; what is used up asks nobody, and quotations answer."""
    await set_tenant_limits(app.database, tenant.tenant_id, {"llm_tokens_per_day": 100})
    app.limiter.forget(tenant.tenant_id)
    async with asking(app, alice, server.provider(read_price=10, written_price=20)) as people:
        assert [(await people.ask())["rung"] for _ in range(2)] == ["generated", "extractive"]
        answer = await people.ask()
    assert answer["degraded"] == ["llm"]
    assert (
        "The limit of 100 tokens of language models a day of your tenant is reached; the day"
        in answer["notes"][0]
    )
    assert len(server.asked) == 1
    usage = (await alice.get("/v1/usage")).json()["limits"]
    used = {each["limit"]: each["used"] for each in usage}
    assert (used["llm_tokens_per_day"], used["money_micros_per_month"]) == (100, 70 * 10 + 30 * 20)


async def test_who_goes_away_while_a_model_writes_pays_for_what_was_asked(
    app: App, alice: Client, warranty: str, server: ModelServer
) -> None:
    """Else whoever hangs up in time asks the model for nothing."""
    server.mood = "endless"
    body = orjson.dumps(ASKED)
    came = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        while not came and not server.asked:
            await asyncio.sleep(0.01)
        return came.pop() if came else {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        pass

    async with asking(app, alice, server.provider()) as people:
        scope = scope_of(alice, "/v1/answers", len(body), accept="text/event-stream")
        await people.api(scope, receive, send)
        async with asyncio.timeout(10):
            while not await tokens_used(alice):
                await asyncio.sleep(0.05)


async def tokens_used(client: Client) -> int:
    """What the tenant's questions used of language models today."""
    limits = (await client.get("/v1/usage")).json()["limits"]
    return int(next(each["used"] for each in limits if each["limit"] == "llm_tokens_per_day"))


async def test_without_a_model_nothing_can_be_generated(alice: Client) -> None:
    """The refusal says what to do; quotations are to be had."""
    refused = await alice.post("/v1/answers", json=ASKED)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert "KNOWLOG_LLM_MODEL" in refused.json()["detail"]
    assert (await alice.post("/v1/answers", json={**ASKED, "mode": "extractive"})).status_code == 200


async def test_where_written_answers_are_usual_a_tenant_without_a_model_gets_quotations(
    app: App, alice: Client, warranty: str
) -> None:
    """The operator's wish is for those that have one."""
    async with asking(app, alice, answers="generated") as people:
        answer = await people.ask(mode=None)
    assert (answer["rung"], answer["degraded"], answer["notes"]) == ("extractive", [], [])


async def test_the_figures_show_the_breaker(
    app: App, alice: Client, operator: Client, warranty: str, server: ModelServer
) -> None:
    """By the name of the dependency; a server whose model is left alone is ready, and says so."""
    server.mood = "fails"
    async with asking(app, alice, server.provider()) as people:
        await people.rungs(10)
        figures = (await operator.get("/metrics")).text
        ready = await people.alice.get("/health/ready")
    name = f'dependency="language model small at 127.0.0.1:{server.port}"'
    assert f'knowlog_dependency_state{{{name},state="closed"}} 0.0' in figures
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert "language model small" in ready.json()["checks"]["language_models"]
