"""Summaries by a language model of a tenant's own: asked first, with its key, on its account, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from api_scene import Client, client_of, problem, settled, upload, working

from fake_models import fake_provider
from knowlog.api import create_api
from knowlog.bootstrap import App
from knowlog.cli.doctor.own_models import check_own_models
from knowlog.edge import ReachTransport, reach_of_models
from knowlog.llm import LlmSettings, OwnModels, Prompt, Provider
from language_model_server import ModelServer, serving

KEY = "sk-of-alice-alone"
TEXT = "In hall {n} the pump moves {n}0 litres. The seal of pump {n} is renewed in week {n}. Nobody did it in 202{n}."
WISH = {"collection": "handbook", "mode": "generated", "length": 20}


@dataclass
class Ground:
    """Alice and Charlie where Alice's endpoint may be asked, and that endpoint."""

    app: App
    alice: Client
    charlie: Client
    server: ModelServer

    async def entrust(self, **changes: Any) -> None:
        url = f"http://127.0.0.1:{self.server.port}/v1"
        body = {"model": "openai:small", "url": url, "api_key": KEY, **changes}
        assert (await self.alice.put("/v1/language-model", json=body)).status_code == 200

    async def ended(self, address: str) -> dict[str, Any]:
        while (found := (await self.alice.get(address)).json())["state"] in ("waiting", "running"):
            await asyncio.sleep(0.02)
        return dict(found)

    async def summarized(self, **changes: Any) -> dict[str, Any]:
        asked = await self.alice.post("/v1/summaries", json=WISH | changes)
        assert asked.status_code in (200, 202), asked.text
        return await self.ended(asked.headers["location"])

    async def tokens(self, client: Client) -> int:
        limits = (await client.get("/v1/usage")).json()["limits"]
        return int(next(each["used"] for each in limits if each["limit"] == "llm_tokens_per_day"))


def obedient(prompt: Prompt) -> str:
    """Says what the first two pieces say."""
    shown = orjson.loads(prompt.user)["passages"][:2]
    said = [{"text": each["text"], "passages": [each["number"]]} for each in shown]
    return orjson.dumps({"statements": said}).decode()


@asynccontextmanager
async def ground(app: App, alice: Client, charlie: Client, *operators: Provider) -> AsyncIterator[Ground]:
    async with serving() as server:
        server.says = obedient
        llm = LlmSettings(private_hosts=frozenset({f"127.0.0.1:{server.port}"}), timeout_s=2, slow_s=1)
        reach = reach_of_models(llm.private_hosts)
        own = OwnModels(app.database, app.vault, llm, lambda: ReachTransport(reach))
        settings = replace(app.settings, llm=llm)
        other = replace(app, settings=settings, own_models=own, providers=operators)
        api = create_api(other)
        secrets = [each.headers["authorization"].removeprefix("Bearer ") for each in (alice, charlie)]
        async with client_of(api, secrets[0]) as first, client_of(api, secrets[1]) as second, working(other):
            for n in (1, 2):
                await settled(first, await upload(first, TEXT.format(n=n), external_id=f"hall-{n}"))
            yield Ground(other, first, second, server)
        await own.close()


async def test_it_writes_summaries_batches_and_renewals(app: App, alice: Client, charlie: Client) -> None:
    """Though the operator has none. Its tokens are its tenant's; to another tenant there is no model."""
    async with ground(app, alice, charlie) as here:
        refused = await here.alice.post("/v1/summaries", json=WISH)
        assert "language-model set" in str(problem(refused, 422, "invalid")["detail"])
        await here.entrust()
        made = await here.summarized()
        assert (made["rung"], made["degraded"], made["llm_tokens"]) == ("generated", [], 100)
        batch = {**WISH, "most_tokens": 100}
        asked = await here.alice.post("/v1/summaries/batches", json=batch)
        stopped = await here.ended(asked.headers["location"])
        assert (stopped["state"], stopped["done"], stopped["llm_tokens"]) == ("stopped", 1, 100)
        await settled(here.alice, await upload(here.alice, TEXT.format(n=3), external_id="hall-1"))
        address = f"/v1/summaries/{made['summary_id']}"
        await here.alice.post(f"{address}:renew")
        assert "pump 3" in (await here.ended(address))["text"]
        assert set(here.server.keys) == {KEY}
        assert await here.tokens(here.alice) == 100 * len(here.server.asked) == 300
        await here.charlie.post("/v1/collections", json={"name": "handbook"})
        problem(await here.charlie.post("/v1/summaries", json=WISH), 422, "invalid")
        problem(await here.charlie.post("/v1/summaries/batches", json=WISH), 422, "invalid")
        assert await here.tokens(here.charlie) == 0


@pytest.mark.parametrize(("alone", "rung"), [(False, "generated_by_second"), (True, "extractive")])
async def test_where_it_fails_the_operators_models_write_or_quotations_stand_in(
    app: App, alice: Client, charlie: Client, alone: bool, rung: str
) -> None:
    """Even the last of three; and none of the operator's, where the tenant wants that. The summary says it, and can be
    renewed once the model is well.
    """
    _, silent = fake_provider(lambda _prompt: "no JSON")
    _, writing = fake_provider(obedient)
    async with ground(app, alice, charlie, silent, writing) as here:
        await here.entrust(alone=alone)
        here.server.mood = "fails"
        made = await here.summarized()
        assert (made["state"], made["rung"], made["degraded"]) == ("done", rung, ["llm"])
        here.server.mood, address = "well", f"/v1/summaries/{made['summary_id']}"
        assert (await here.summarized())["summary_id"] == made["summary_id"]
        assert (await here.alice.post(f"{address}:renew")).status_code == 202
        again = await here.ended(address)
        problem(await here.alice.post(f"{address}:renew"), 409, "conflict")
    assert (again["rung"], again["degraded"]) == ("generated", [])


async def test_one_that_was_removed_writes_nothing_more(app: App, alice: Client, charlie: Client) -> None:
    """A renewal is made of quotations then, and says why."""
    async with ground(app, alice, charlie) as here:
        await here.entrust()
        made = await here.summarized()
        assert (await here.alice.delete("/v1/language-model")).status_code == 204
        await settled(here.alice, await upload(here.alice, TEXT.format(n=3), external_id="hall-1"))
        address = f"/v1/summaries/{made['summary_id']}"
        await here.alice.post(f"{address}:renew")
        renewed = await here.ended(address)
    assert (renewed["rung"], renewed["degraded"], len(here.server.asked)) == ("extractive", ["llm"], 1)
    assert "There is no language model" in renewed["notes"][-1]


async def test_the_doctor_tells_of_addresses_that_may_not_be_asked(
    app: App, alice: Client, charlie: Client
) -> None:
    """One that was allowed when it was given, and is not any more; without its path, which may hold a secret."""
    async with ground(app, alice, charlie) as here:
        await here.entrust()
        allowed = [each async for each in check_own_models(here.app.settings)]
        found = [each async for each in check_own_models(app.settings)]
        await here.alice.delete("/v1/language-model")
    refused = [each for each in found if each.outcome == "warn"]
    assert len(refused) == 1 + len([each for each in allowed if each.outcome == "warn"])
    assert all("127.0.0.1" in each.found and "/v1" not in each.found for each in refused)
    assert all("KNOWLOG_LLM_PRIVATE_HOSTS" in each.mend for each in refused)
