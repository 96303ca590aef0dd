"""Tunings and switches through the API: told before they begin what cannot be, reported whole, applied and taken back."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from api_scene import Client, MakeClient, problem, settled, upload, working

from knowlog.bootstrap import App
from knowlog.database import Scope

ANIMALS = (
    "zebra",
    "okapi",
    "giraffe",
    "lemur",
    "tapir",
    "gnu",
    "ibex",
    "yak",
    "lynx",
    "otter",
    "heron",
    "newt",
)
TRY: dict[str, Any] = {
    "collection": "handbook", "dataset": "animals", "strategies": ["recursive"], "sizes": [16, 32], "overlaps": [0.0],
    "weights": [0.6, 0.2], "passages": [1, 2],
}  # fmt: skip


def text(animal: str) -> str:
    """Ten sentences on an animal."""
    return " ".join(f"The {animal} number {n} eats {n} apples on day {n} of the month." for n in range(10))


@pytest.fixture
async def zoo(app: App, alice: Client) -> AsyncIterator[Client]:
    """Alice's handbook of twelve animals with a question on two sentences of each, and a worker."""
    documents = [{"external_id": each, "text": text(each)} for each in ANIMALS]
    questions = [
        {"id": f"{each}-{n}", "question": f"What does {each} number {n} eat on day {n}?",
         "excerpts": [{"document": each, "text": f"The {each} number {n} eats {n} apples on day {n} of the month."}]}
        for each in ANIMALS for n in (2, 7)
    ]  # fmt: skip
    async with working(app):
        for each in documents:
            sent = await alice.post("/v1/collections/handbook/documents", json=each)
            assert sent.status_code == 202, sent.text
        while (await alice.get("/v1/collections/handbook/states")).json()["states"].get("indexed") != len(
            ANIMALS
        ):
            await asyncio.sleep(0.05)
        made = await alice.post(
            "/v1/datasets", json={"name": "animals", "collection": "handbook", "questions": questions}
        )
        assert made.status_code == 201, made.text
        yield alice


async def ended(client: Client, address: str) -> dict[str, Any]:
    """A tuning or a switch that has ended."""
    while (found := (await client.get(address)).json())["state"] in ("waiting", "running"):
        await asyncio.sleep(0.05)
    return dict(found)


async def accepted(client: Client, address: str, body: dict[str, Any]) -> dict[str, Any]:
    """What comes of a request for work."""
    answer = await client.post(address, json=body)
    assert answer.status_code == 202, answer.text
    return await ended(client, answer.headers["location"])


async def test_a_tuning_reports_applies_and_is_taken_back(app: App, tenant: Scope, zoo: Client) -> None:
    """Each trial with interval and cost; the collection answers as before until a trial is applied, in one step."""
    done = await accepted(zoo, "/v1/tunings", TRY)
    assert (done["state"], done["reason"]) == ("done", None)
    report = done["report"]
    whole = [each for each in report["trials"] if each["whole"]]
    assert {each["number"] for each in whole} >= {0, report["best"]}
    assert {each["k"] for each in whole} == {1, 2, 10}
    assert report["present_k"] == 10, "as many as the profile says"
    assert any(each["pareto"] for each in whole)
    assert all(each["target"]["low"] <= each["target"]["mean"] <= each["target"]["high"] for each in whole)
    assert report["held_out"] is None or report["held_out"]["best"]["target"]["count"] == 12
    async with app.database.transaction(tenant) as connection:
        left = await connection.fetchval(
            "select count(*) from indexes where expires_at > now() and index_id <> collection_id"
        )
    assert left == 1, "that of the best trial; the others end with the tuning"
    collection = (await zoo.get("/v1/collections/handbook")).json()
    assert collection["profile_version"] == 1
    trial = next(each for each in whole if each["chunking"]["size_tokens"] == 16)
    apply = f"/v1/tunings/{done['tuning_id']}:apply"
    told = problem(await zoo.post(apply, json={"trial": trial["number"], "passages": 7}), 422, "invalid")
    assert "it was with 1, 2, 10" in str(told["detail"])
    await settled(zoo, await upload(zoo, text("puma"), external_id="puma"))
    switch = await accepted(zoo, apply, {"trial": trial["number"], "passages": 1})
    assert (switch["state"], switch["reason"]) == ("done", None)
    collection = (await zoo.get("/v1/collections/handbook")).json()
    assert (collection["profile_version"], collection["profile"]["chunking"]["size_tokens"]) == (2, 16)
    assert await longest(zoo) < 100
    assert [await found(zoo), await found(zoo, limit=3)] == [1, 3]
    seen = await zoo.post("/v1/search", json={"question": "What does the puma eat on day 3?"})
    assert seen.json()["passages"][0]["external_id"] == "puma", "which came after the tuning"
    back = await accepted(zoo, "/v1/collections/handbook/rollback", {})
    assert (back["state"], back["rolls_back"]) == ("done", switch["switch_id"])
    taken_back = (await zoo.get(f"/v1/switches/{switch['switch_id']}")).json()
    assert taken_back["rolled_back_by"] == back["switch_id"]
    assert await longest(zoo) > 300
    await deepen(zoo, apply)


async def deepen(zoo: Client, apply: str) -> None:
    """The tuning is applied once more, now that its profile is there again: another number of passages needs no index."""
    same = problem(await zoo.post(apply, json={"trial": 0}), 409, "conflict")
    assert "there is nothing to switch" in str(same["detail"])
    switch = await accepted(zoo, apply, {"trial": 0, "passages": 2})
    assert (switch["state"], switch["index_id"]) == ("done", switch["from_index"])
    assert (await found(zoo), await read_for_an_answer(zoo)) == (2, 2)
    refused = problem(await zoo.post(apply, json={"trial": 0, "passages": 1}), 409, "conflict")
    assert "Roll back to that one" in str(refused["detail"])
    await accepted(zoo, "/v1/collections/handbook/rollback", {})
    assert (await found(zoo), await read_for_an_answer(zoo)) == (10, 10)


async def read_for_an_answer(client: Client) -> int:
    """How many passages an answer is made from, as its stream tells."""
    asked = {"question": "What does the zebra eat?"}
    sent = await client.post("/v1/answers", json=asked, headers={"accept": "text/event-stream"})
    told = next(line for line in sent.text.splitlines() if line.startswith("data:") and '"passages"' in line)
    return len(json.loads(told.removeprefix("data:"))["passages"])


async def longest(client: Client) -> int:
    """Characters of the longest passage found."""
    found = await client.post("/v1/search", json={"question": "What does the zebra eat?", "limit": 5})
    return max(len(each["text"]) for each in found.json()["passages"])


async def found(client: Client, **more: Any) -> int:
    """How many passages a search returns."""
    answer = await client.post("/v1/search", json={"question": "What does the zebra eat?", **more})
    return len(answer.json()["passages"])


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"sizes": [0]}, "`sizes` (--size)"),
    ({"sizes": [100_000]}, "`sizes` (--size)"),
    ({"passages": [101]}, "passages"),
    ({"overlaps": [0.5]}, "overlap"),
    ({"overlaps": [1.0]}, "overlap"),
    ({"strategies": ["paragraph"]}, "`overlaps` (--overlap) change nothing here"),
    ({"strategies": ["llm"]}, "language model"),
    ({"strategies": ["magic"]}, "strategies"),
    ({"collection": "other"}, "is of the collection 'handbook'"),
    ({"dataset": "few"}, "A tuning needs 20"),
]


async def test_what_cannot_be_tried_is_told_and_nothing_begins(zoo: Client) -> None:
    """Before a job is made."""
    await zoo.post("/v1/collections", json={"name": "other"})
    few = [{"id": "1", "question": "What does the zebra eat?", "documents": {"zebra": 1}}]
    await zoo.post("/v1/datasets", json={"name": "few", "collection": "handbook", "questions": few})
    for change, told in WRONG:
        answer = await zoo.post("/v1/tunings", json=TRY | change)
        assert told in answer.text, answer.text
        problem(answer, 422, "invalid")
    assert (await zoo.get("/v1/tunings")).json()["items"] == []


async def test_one_at_a_time_and_cancelled(zoo: Client) -> None:
    """Of twenty at once one begins; a cancelled one has no report and cannot be applied."""
    many = TRY | {"sizes": list(range(16, 36))}
    answers = await asyncio.gather(*(zoo.post("/v1/tunings", json=many) for _ in range(20)))
    assert sorted(each.status_code for each in answers) == [202, *[409] * 19]
    begun = next(each.json() for each in answers if each.status_code == 202)
    address = f"/v1/tunings/{begun['tuning_id']}"
    stopped = await zoo.post(f"{address}:cancel")
    assert stopped.json()["state"] == "cancelled"
    problem(await zoo.post(f"{address}:apply", json={}), 409, "conflict")
    problem(await zoo.post("/v1/collections/handbook/rollback", json={}), 409, "conflict")
    assert (await zoo.delete(address)).status_code == 204


async def test_strangers_and_readers_tune_and_switch_nothing(
    alice: Client, bob: Client, charlie: Client, tenant: Scope, make_client: MakeClient
) -> None:
    """Bob may read only; Charlie is of another tenant, and finds nothing."""
    for path in ("/v1/tunings", "/v1/collections/handbook/rollback", "/v1/collections/handbook/switches"):
        body = TRY if path == "/v1/tunings" else {"profile": {}} if path.endswith("switches") else {}
        assert (await bob.post(path, json=body)).status_code == 403
        assert (await charlie.post(path, json=body)).status_code == 404
    asked = await alice.post(
        "/v1/collections/handbook/switches", json={"profile": {"retrieval": {"depth": 50}}}
    )
    address = asked.headers["location"]
    assert (await bob.get(address)).status_code == 403
    assert (await charlie.get(address)).status_code == 404
