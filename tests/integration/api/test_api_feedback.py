"""Feedback on answers: by whoever got them, while the tenant has its questions kept, and datasets made of it."""

from datetime import timedelta
from typing import Any

import pytest
from api_scene import Client, MakeClient, events_of, problem, settled, upload, working
from people_scene import People, new_email

from knowlog.bootstrap import App
from knowlog.database import Scope

WARRANTY = "Pumps have a warranty of two years. It covers parts and labour."


@pytest.fixture
async def handbook(app: App, alice: Client) -> Client:
    """Alice's handbook with a document; its questions are kept."""
    async with working(app):
        await settled(alice, await upload(alice, WARRANTY, external_id="warranty"))
    await alice.put("/v1/kept-questions", json={"keep_days": 30})
    app.questions._wanted.clear()  # ten seconds later
    return alice


async def ask(client: Client, question: str = "How long is the warranty of pumps?") -> str:
    """The id of an answer that the client got."""
    answer = await client.post("/v1/answers", json={"question": question, "collections": ["handbook"]})
    return str(answer.json()["answer_id"])


async def give(client: Client, answer_id: str, thumb: str = "up", **more: Any) -> dict[str, Any]:
    """Feedback on it."""
    answer = await client.post(f"/v1/answers/{answer_id}/feedback", json={"thumb": thumb, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def made_of_it(client: Client) -> list[dict[str, Any]]:
    """The questions of a dataset that is made of all feedback on the handbook."""
    wanted = {"name": "said", "collection": "handbook"}
    answer = await client.post("/v1/datasets:from-feedback", json=wanted)
    assert (answer.status_code, answer.json()["origin"]) == (201, "real"), answer.text
    items: list[dict[str, Any]] = (await client.get("/v1/datasets/said/questions")).json()["items"]
    return items


async def test_only_who_got_an_answer_can_speak_of_it(
    handbook: Client, bob: Client, charlie: Client, make_client: MakeClient, tenant: Scope
) -> None:
    """To all others, owners too, it is as if there were none; and so it is with a forged id."""
    answer_id = await ask(bob)
    forged = (answer_id[:32] + "0" * 32, answer_id[:-1], answer_id.upper(), "no-id", "0" * 64, "é" * 64)
    another = await make_client(tenant, "reader")
    absent = [(each, answer_id) for each in (handbook, charlie, another)] + [(bob, each) for each in forged]
    for client, named in absent:
        answer = await client.post(f"/v1/answers/{named}/feedback", json={"thumb": "up"})
        problem(answer, 404, "not-found")
    assert (await give(bob, answer_id))["thumb"] == "up"


async def test_one_sees_and_deletes_ones_own_and_admins_all(
    handbook: Client, bob: Client, charlie: Client, make_client: MakeClient, tenant: Scope
) -> None:
    """An admin whose key reaches another collection sees none of it."""
    of_alice, of_bob = await give(handbook, await ask(handbook)), await give(bob, await ask(bob), "down")
    other = (await handbook.post("/v1/collections", json={"name": "other"})).json()["collection_id"]
    limited = await make_client(tenant, "admin", [other])

    async def listed(client: Client, **params: Any) -> list[str]:
        items = (await client.get("/v1/feedback", params=params)).json()["items"]
        return [each["feedback_id"] for each in items]

    assert await listed(handbook) == [of_bob["feedback_id"], of_alice["feedback_id"]]
    assert await listed(handbook, thumb="up", collection="handbook") == [of_alice["feedback_id"]]
    assert [await listed(each) for each in (bob, charlie, limited)] == [[of_bob["feedback_id"]], [], []]
    place = f"/v1/feedback/{of_alice['feedback_id']}"
    for client in (bob, charlie, limited):
        problem(await client.get(place), 404, "not-found")
        problem(await client.delete(place), 404, "not-found")
    assert (await bob.delete(f"/v1/feedback/{of_bob['feedback_id']}")).status_code == 204
    assert (await handbook.delete(place)).status_code == 204
    assert await listed(handbook) == []


async def test_what_was_said_before_is_replaced(handbook: Client) -> None:
    """One answer, one word of it; and what makes no sense is refused with its place."""
    answer_id = await ask(handbook)
    first = await give(handbook, answer_id, "down", correction="Two years")
    second = await give(handbook, answer_id, "up")
    assert second["feedback_id"] == first["feedback_id"]
    assert (second["thumb"], second["correction"]) == ("up", None)
    for wrong in (
        {},
        {"thumb": "sideways"},
        {"thumb": "up", "correction": "  "},
        {"thumb": "up", "comment": "x" * 2001},
    ):
        problem(await handbook.post(f"/v1/answers/{answer_id}/feedback", json=wrong), 422, "invalid")  # fmt: skip
    assert (await handbook.get("/v1/kept-questions")).json()["feedback_count"] == 1


async def test_without_the_tenants_word_answers_have_no_id(app: App, handbook: Client) -> None:
    """And taking it back deletes what was said."""
    answer_id = await ask(handbook)
    await give(handbook, answer_id)
    await handbook.delete("/v1/kept-questions")
    app.questions._wanted.clear()
    assert await ask(handbook) == "None"
    assert (await handbook.get("/v1/feedback")).json()["items"] == []
    refused = await handbook.post(f"/v1/answers/{answer_id}/feedback", json={"thumb": "up"})
    assert "PUT /v1/kept-questions" in str(problem(refused, 404, "not-found")["detail"])


async def test_an_answer_that_comes_to_be_has_its_id_at_the_end(handbook: Client) -> None:
    """With the event `done`."""
    wanted = {"question": "How long is the warranty?", "collections": ["handbook"]}
    stream = await handbook.post("/v1/answers", json=wanted, headers={"Accept": "text/event-stream"})
    (name, last) = events_of(stream.text)[-1]
    assert name == "done"
    await give(handbook, last["answer_id"])


async def test_a_dataset_knows_what_people_said(handbook: Client, bob: Client) -> None:
    """Corrections are answers; what a thumb is up for is quoted, as long as it stands there."""
    await give(handbook, await ask(handbook))
    await give(bob, await ask(bob, "Who covers labour?"), "down", correction="The maker")
    await give(bob, await ask(bob, "Who painted the Mona Lisa?"))
    by_text = {each["question"]: each for each in await made_of_it(handbook)}
    (excerpt,) = by_text["How long is the warranty of pumps?"]["excerpts"]
    assert excerpt == {"document": "warranty", "text": "Pumps have a warranty of two years."}
    assert by_text["Who covers labour?"]["answers"] == ["The maker"]
    assert by_text["Who painted the Mona Lisa?"]["unanswerable"] is True


async def test_quotes_go_with_their_document(app: App, handbook: Client) -> None:
    """What was kept is where they stand, never their text."""
    await give(handbook, await ask(handbook))
    async with working(app):
        await settled(handbook, await upload(handbook, "Nothing is covered.", external_id="warranty"))
    (question,) = await made_of_it(handbook)
    assert (question["excerpts"], question["documents"], question["unanswerable"]) == ([], {}, False)


async def test_feedback_goes_with_the_member_who_gave_it(
    app: App, handbook: Client, tenant: Scope, people: People
) -> None:
    """The question stays: it was nobody's."""
    joined = await people.joined(handbook, tenant, email := new_email("bob"))
    member, _ = await people.signed_in(email)
    given = await give(member, await ask(member))
    assert given["given_by"] == f"member:{joined['member_id']}"
    await handbook.delete(f"/v1/members/{joined['member_id']}")
    assert (await handbook.get("/v1/feedback")).json()["items"] == []
    assert (await handbook.get("/v1/kept-questions")).json()["question_count"] == 1


async def test_questions_go_when_their_term_is_over(app: App, handbook: Client, tenant: Scope) -> None:
    """With what was said of their answers; younger ones stay."""
    await give(handbook, await ask(handbook))
    async with app.database.transaction(tenant) as connection:
        await connection.execute("update asked_questions set asked_at = now() - $1::interval", timedelta(31))
    younger = await give(handbook, await ask(handbook))
    async with app.database.system() as connection:
        assert await connection.fetchval("select forget_old_questions()") == 1
    items = (await handbook.get("/v1/feedback")).json()["items"]
    assert [each["feedback_id"] for each in items] == [younger["feedback_id"]]
