"""Runs measure the answers that users get, and ask for as many documents as they tell figures of."""

from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from api_scene import Client, client_of, problem, settled, upload, working
from test_api_evaluation import HOLIDAY, WARRANTY, make, run

from knowlog.api import create_api
from knowlog.bootstrap import App
from knowlog.evaluation.comparable import left_out
from knowlog.evaluation.model import Wanted
from knowlog.llm import LlmSettings, open_providers


@pytest.fixture
async def writing(app: App, alice: Client) -> AsyncIterator[Client]:
    """Alice's handbook where the operator has a language model, the honest fake, write answers."""
    llm = LlmSettings(model="fake", answers="generated")
    served = replace(app, settings=replace(app.settings, llm=llm), providers=open_providers(llm))
    key = alice.headers["authorization"].removeprefix("Bearer ")
    async with working(served), client_of(create_api(served), key) as client:
        for name, text in (("warranty", WARRANTY), ("holiday", HOLIDAY)):
            await settled(client, await upload(client, text, external_id=name))
        await make(client)
        yield client


async def spent(client: Client) -> int:
    """Tokens that language models have read and written for the tenant today."""
    limits: list[dict[str, Any]] = (await client.get("/v1/usage")).json()["limits"]
    return int(next(each["used"] for each in limits if each["limit"] == "llm_tokens_per_day"))


async def test_answers_that_a_model_writes_are_measured_and_paid(writing: Client) -> None:
    """As users get them, unless quotations are chosen; and the two are not compared in what depends on it."""
    quoted = await run(writing, label="A", mode="extractive")
    assert quoted["made_with"]["answers"]["told"] == "quotations"
    assert await spent(writing) == 0
    written = await run(writing, label="B")
    assert written["state"] == "done", written["reason"]
    assert written["wanted"]["mode"] == "generated"
    made = written["made_with"]["answers"]
    assert (made["models"], made["rungs"]) == (["fake"], {"generated": 2, "extractive": 1})
    assert made["told"] == "2 of 3 written by fake"
    assert written["figures"]["answer_inside"]["mean"] == 1.0
    assert await spent(writing) > 0
    address = f"/v1/runs/{written['run_id']}/comparison"
    found = (await writing.get(address, params={"against": quoted["run_id"]})).json()
    assert {each["metric"] for each in found["differences"]} >= {"recall", "ndcg"}
    assert "have both made alike" in str(found["left_out"])
    assert not {"answer_f1", "faithfulness"} & {each["metric"] for each in found["differences"]}
    assert not found["passed"]


def a_run(rungs: dict[str, int], told: str) -> Any:
    return SimpleNamespace(
        wanted=Wanted(mode="generated"), made_with={"answers": {"rungs": rungs, "told": told}}
    )


def test_answers_of_a_model_that_was_away_are_not_compared() -> None:
    """They are quotations, whatever was wanted; some quotations more or fewer are what a profile may do."""
    away = a_run({"extractive": 100}, "0 of 100 written by fake")
    there = a_run({"generated": 90, "extractive": 10}, "90 of 100 written by fake")
    other = a_run({"generated": 75, "extractive": 25}, "75 of 100 written by fake")
    measured = [{"answer_f1", "recall"}] * 2
    (found,) = left_out(away, there, measured)
    assert found.metrics == ("answer_f1",)
    assert "A's answers are 0 of 100 written by fake" in found.reason
    assert left_out(other, there, measured) == []


async def test_a_mode_that_cannot_be_is_refused(writing: Client, alice: Client) -> None:
    """Where nothing is answered, and where there is no language model."""
    asked = {"dataset": "first", "mode": "generated"}
    idle = await writing.post("/v1/runs", json=asked | {"measures": ["retrieval"]})
    assert "(--mode) changes nothing" in str(problem(idle, 422, "invalid")["detail"])
    alone = await alice.post("/v1/runs", json=asked)
    assert "KNOWLOG_LLM_MODEL" in str(problem(alone, 422, "invalid")["detail"])


async def test_a_document_behind_another_ones_many_passages_is_found(app: App, alice: Client) -> None:
    """The first ten passages are all of one document; the second of the first two documents is the one that is known."""
    chunking = {"strategy": "fixed", "size_tokens": 16}
    await alice.patch("/v1/collections/handbook", json={"profile": {"chunking": chunking}})
    many = " ".join(
        f"The pump warranty of line {n} covers the pump for its warranty years." for n in range(40)
    )
    async with working(app):
        await settled(alice, await upload(alice, many, external_id="lines"))
        await settled(alice, await upload(alice, "A boat has a warranty too.", external_id="boats"))
        question = {"id": "1", "question": "pump warranty", "documents": {"boats": 1}}
        await make(alice, questions=[question])
        found = await run(alice, k=2, measures=["retrieval"])
    assert found["figures"]["recall"]["mean"] == 1.0
    assert found["figures"]["mrr"]["mean"] == 0.5
