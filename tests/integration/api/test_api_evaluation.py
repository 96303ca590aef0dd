"""Datasets and runs through the API: kept whole or not at all, measured by a worker, compared, and each tenant's own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import pytest
from api_scene import Client, MakeClient, problem, settled, upload, working

from knowlog.bootstrap import App
from knowlog.database import Scope

WARRANTY = "Pumps have a warranty of two years. It covers parts and labour."
HOLIDAY = "Every employee has 28 days of paid holiday a year, and may carry five over."
QUESTIONS: list[dict[str, Any]] = [
    {"id": "1", "question": "How long is the warranty of pumps?", "answers": ["two years"], "documents": {"warranty": 1},
     "excerpts": [{"document": "warranty", "text": "Pumps have a  warranty of two years."}]},
    {"id": "2", "question": "How many days of paid holiday?", "answers": ["28 days"], "documents": {"holiday": 2}},
    {"id": "3", "question": "Who painted the Mona Lisa?", "unanswerable": True},
]  # fmt: skip


@pytest.fixture
async def handbook(app: App, alice: Client) -> AsyncIterator[Client]:
    """Alice's handbook with two documents, and a worker."""
    async with working(app):
        for name, text in (("warranty", WARRANTY), ("holiday", HOLIDAY)):
            await settled(alice, await upload(alice, text, external_id=name))
        yield alice


async def make(client: Client, name: str = "first", **changes: Any) -> dict[str, Any]:
    """A dataset of the three questions."""
    answer = await client.post("/v1/datasets", json=wanted(name, **changes))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def wanted(name: str = "first", **changes: Any) -> dict[str, Any]:
    """What makes a dataset."""
    return {"name": name, "collection": "handbook", "questions": QUESTIONS, **changes}


async def run(client: Client, **asked: Any) -> dict[str, Any]:
    """A run that has ended."""
    answer = await client.post("/v1/runs", json={"dataset": "first", **asked})
    assert answer.status_code == 202, answer.text
    while (found := (await client.get(answer.headers["location"])).json())["state"] in ("waiting", "running"):
        await asyncio.sleep(0.05)
    return dict(found)


@dataclass
class Wrong:
    """What is wrong with a dataset, and what must be told."""

    questions: list[dict[str, Any]]
    told: str


def changed(**change: Any) -> list[dict[str, Any]]:
    """The questions, the first of them changed."""
    return [{**QUESTIONS[0], **change}, *QUESTIONS[1:]]


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong(changed(answers=["ten years"]), "No document holds an answer of '1' (1 of 3 questions)"),
        Wrong(changed(documents={"holiday": 1}, excerpts=[]), "No document holds an answer of '1'"),
        Wrong(changed(documents={"warranty": 1, "gone": 1}), "names 1 document that the collection does not have"),
        Wrong(changed(excerpts=[{"document": "warranty", "text": "ten years"}]), "The excerpts of '1' do not stand"),
        Wrong(changed(id="2"), "'2' is there more than once"),
        Wrong(changed(answers=[" "]), "'1' has an answer or excerpt without a word"),
        Wrong(changed(unanswerable=True), "'1' is called unanswerable, and has an answer"),
    ],
    ids=["answer", "elsewhere", "document", "excerpt", "id", "blank", "both"],
)  # fmt: skip
async def test_a_dataset_with_something_wrong_is_told_and_not_kept(handbook: Client, wrong: Wrong) -> None:
    """With the ids of the questions that are wrong."""
    answer = await handbook.post("/v1/datasets", json=wanted(questions=wrong.questions))
    assert wrong.told in str(problem(answer, 422, "invalid")["detail"])
    assert (await handbook.get("/v1/datasets")).json()["items"] == []


async def longest_pause(over: asyncio.Event) -> float:
    """For how long the event loop did nothing else, at most, in seconds."""
    longest, last = 0.0, perf_counter()
    while not over.is_set():
        await asyncio.sleep(0.01)
        longest, last = max(longest, perf_counter() - last), perf_counter()
    return longest


async def test_others_are_answered_while_a_dataset_is_checked(
    handbook: Client, app: App, tenant: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand answers that stand nowhere, in a long document; and it may not take for ever."""
    async with app.database.transaction(tenant) as connection:
        await connection.execute("update versions set text = text || repeat(' lorem ipsum', 200000)")
    asked = [
        {"id": str(n), "question": "Where?", "answers": [f"lorem nowhere {n} lorem"]} for n in range(1000)
    ]
    over = asyncio.Event()
    watch = asyncio.create_task(longest_pause(over))
    answer = await handbook.post("/v1/datasets", json=wanted(questions=asked))
    over.set()
    assert "(1,000 of 1,000 questions)" in str(problem(answer, 422, "invalid")["detail"])
    assert await watch < 1
    monkeypatch.setattr("knowlog.evaluation.keeping._LOOK_S", 0.0)
    answer = await handbook.post("/v1/datasets", json=wanted(questions=asked))
    assert "takes more than 0 seconds" in str(problem(answer, 422, "invalid")["detail"])


async def test_answers_in_words_of_their_own_are_taken_when_that_is_said(handbook: Client) -> None:
    """And a column that is not known is refused with its place."""
    made = await make(handbook, questions=changed(answers=["ten years"]), answers="free")
    assert (made["question_count"], made["origin"]) == (3, "real")
    answer = await handbook.post("/v1/datasets", json=wanted("other", questions=changed(anwser="x")))
    assert "anwser" in str(problem(answer, 422, "invalid")["detail"])
    problem(await handbook.post("/v1/datasets", json=wanted()), 409, "conflict")


async def test_a_run_measures_what_is_known_and_says_with_what(handbook: Client) -> None:
    """Figures with intervals, versions of profile, data and code, and each question's scores."""
    dataset = await make(handbook)
    done = await run(handbook, label="A", price_per_million=2.0)
    assert (done["state"], done["reason"], done["done"], done["profile_version"]) == ("done", None, 3, 1)
    assert done["digest"] == dataset["digest"]
    assert done["code_version"].startswith("0.")
    assert done["figures"]["recall"] == {"mean": 1.0, "low": 1.0, "high": 1.0, "count": 2}
    assert {
        "token_iou",
        "answer_f1",
        "answer_relevance",
        "faithfulness",
        "abstention",
        "latency_ms",
        "cost",
    } <= set(done["figures"])
    (first, second, third) = (await handbook.get(f"/v1/runs/{done['run_id']}/results")).json()["items"]
    assert first["scores"]["token_recall"] == 1
    assert "token_recall" not in second["scores"]
    assert set(third["scores"]) & {"recall", "answer_f1", "citation_recall"} == set()


async def test_runs_are_compared_and_reported_on(handbook: Client) -> None:
    """The same profile again is no regression; where search is measured alone, answers are not."""
    await make(handbook)
    first, second = await run(handbook, label="A"), await run(handbook, label="B", measures=["retrieval"])
    assert "answer_f1" not in second["figures"]
    address = f"/v1/runs/{second['run_id']}"
    found = (await handbook.get(f"{address}/comparison", params={"against": first["run_id"]})).json()
    assert (found["first"], found["second"], found["regressions"]) == ("A", "B", [])
    assert "No difference is shown in Recall@5" in " ".join(each["verdict"] for each in found["differences"])
    assert "latency_ms" not in {each["metric"] for each in found["differences"]}
    assert "A timed answers" in str(found["left_out"])
    assert not found["passed"]
    assert "answer_f1" in found["unjudged"][0]["metrics"]
    report = (await handbook.get(f"{address}/report", params={"against": first["run_id"]})).json()
    assert [each["name"] for each in report["metrics"]][:2] == ["recall", "precision"]
    assert len(report["worst"]) == 3
    gate = await handbook.get(
        f"{address}/comparison", params={"against": first["run_id"], "metric": "answer_f1"}
    )
    assert "'answer_f1' is not compared. Only A has figures" in str(problem(gate, 422, "invalid")["detail"])


async def test_a_cancelled_run_leaves_nothing(app: App, handbook: Client, alice: Client) -> None:
    """It has no figures, cannot be reported on, and can be deleted."""
    many = [{"id": str(number), "question": f"What is said of pump {number}?"} for number in range(3_000)]
    await make(alice, questions=many)
    answer = await alice.post("/v1/runs", json={"dataset": "first"})
    address = answer.headers["location"]
    while not (await alice.get(address)).json()["done"]:
        await asyncio.sleep(0.05)
    cancelled = (await alice.post(f"{address}:cancel")).json()
    assert (cancelled["state"], cancelled["figures"]) == ("cancelled", None)
    assert (await alice.get(f"{address}/results")).json()["items"] == []
    assert "is cancelled" in str(problem(await alice.get(f"{address}/report"), 409, "conflict")["detail"])
    assert (await alice.delete(address)).status_code == 204
    problem(await alice.get(address), 404, "not-found")


async def test_a_run_on_a_profile_that_changes_meanwhile_has_no_figures(handbook: Client) -> None:
    """Its questions were answered by two profiles: it fails, and says so."""
    await make(
        handbook, questions=[{"id": str(number), "question": f"Pump {number}?"} for number in range(300)]
    )
    answer = await handbook.post("/v1/runs", json={"dataset": "first"})
    address = answer.headers["location"]
    while not (await handbook.get(address)).json()["done"]:
        await asyncio.sleep(0.02)
    await handbook.patch("/v1/collections/handbook", json={"profile": {"retrieval": {"dense_weight": 0.9}}})
    while (found := (await handbook.get(address)).json())["state"] in ("waiting", "running"):
        await asyncio.sleep(0.05)
    assert found["state"] == "failed"
    assert "changed while the run was under way" in found["reason"]


async def test_drafts_are_synthetic_for_good(handbook: Client) -> None:
    """By their origin, in the dataset, in its runs and in comparisons."""
    answer = await handbook.post(
        "/v1/datasets:draft", json={"name": "first", "collection": "handbook", "count": 2}
    )
    assert (answer.status_code, answer.json()["origin"]) == (201, "synthetic")
    done = await run(handbook, measures=["retrieval"])
    assert done["origin"] == "synthetic"
    found = await handbook.get(f"/v1/runs/{done['run_id']}/comparison", params={"against": done["run_id"]})
    assert found.json()["synthetic"] is True


async def test_questions_are_kept_only_while_the_tenant_wants_that(app: App, handbook: Client) -> None:
    """Without its word nothing is; afterwards what was asked becomes a dataset, and can be forgotten."""
    asked = {"question": "How long is the warranty?", "collections": ["handbook"]}
    await handbook.post("/v1/answers", json=asked)
    answer = await handbook.post(
        "/v1/datasets:from-questions", json={"name": "first", "collection": "handbook"}
    )
    assert "No question of this collection was kept" in str(problem(answer, 422, "invalid")["detail"])
    assert (await handbook.put("/v1/kept-questions")).json()["kept"] is True
    app.questions._wanted.clear()  # ten seconds later
    await handbook.post("/v1/answers", json=asked)
    assert (await handbook.get("/v1/kept-questions")).json()["question_count"] == 1
    made = await handbook.post(
        "/v1/datasets:from-questions", json={"name": "first", "collection": "handbook"}
    )
    assert made.json()["question_count"] == 1
    assert (await run(handbook))["figures"]["faithfulness"]["count"] == 1
    assert (await handbook.delete("/v1/kept-questions")).status_code == 204
    assert (await handbook.get("/v1/kept-questions")).json() == {
        "kept": False, "since": None, "agreed_by": None, "keep_days": None, "question_count": 0, "feedback_count": 0,
    }  # fmt: skip


async def test_strangers_and_readers_see_no_dataset_and_no_run(
    handbook: Client, bob: Client, charlie: Client, make_client: MakeClient, tenant: Scope
) -> None:
    """Not by name, not by id; nor does a key that is limited to another collection."""
    dataset = await make(handbook)
    done = await run(handbook, measures=["retrieval"])
    other = (await handbook.post("/v1/collections", json={"name": "other"})).json()["collection_id"]
    limited = await make_client(tenant, "admin", [other])
    run_at = f"/v1/runs/{done['run_id']}"
    places = ("/v1/datasets/first", f"/v1/datasets/{dataset['dataset_id']}/questions", run_at, f"{run_at}/results",
              f"{run_at}/report", f"{run_at}/comparison?against={done['run_id']}")  # fmt: skip
    for place in places:
        problem(await bob.get(place), 403, "forbidden")
        for stranger in (charlie, limited):
            problem(await stranger.get(place), 404, "not-found")
    for stranger in (charlie, limited):
        assert (await stranger.get("/v1/runs")).json()["items"] == []
        problem(await stranger.post("/v1/runs", json={"dataset": "first"}), 404, "not-found")
        problem(await stranger.delete(run_at), 404, "not-found")
