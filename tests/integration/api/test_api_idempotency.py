"""Idempotency-Key on every POST that creates within a tenant."""

import asyncio

import pytest
from api_scene import Client, problem, settled, working

from knowlog.bootstrap import App
from knowlog.database import Scope

PLACE = "/v1/collections/handbook/documents"
CREATING = [
    ("/v1/collections", {"name": "once"}),
    ("/v1/keys", {"name": "once"}),
    ("/v1/members", {"email": "dora@example.com"}),
    ("/v1/groups", {"name": "once"}),
    ("/v1/invitations", {"email": "emil@example.com"}),
    ("/v1/schedules", {"name": "once", "collection": "handbook", "task": "refresh", "every_s": 3600}),
    (PLACE, {"text": "once"}),
    (f"{PLACE}:batch", [{"text": "once"}]),
]


@pytest.mark.parametrize(("place", "body"), CREATING)
async def test_a_repeated_request_gets_the_same_answer(alice: Client, place: str, body: object) -> None:
    """Same status, same body but for a secret, and the effect once."""
    first = await alice.post(place, json=body, headers={"Idempotency-Key": "k1"})
    again = await alice.post(place, json=body, headers={"Idempotency-Key": "k1"})
    assert again.status_code == first.status_code
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert {**again.json(), "secret": 0} == {**first.json(), "secret": 0}
    if "secret" in first.json():
        assert again.json()["secret"] is None


@pytest.mark.parametrize(("place", "body"), CREATING)
async def test_the_key_of_another_request_is_refused(alice: Client, place: str, body: object) -> None:
    """A key names one request."""
    await alice.post("/v1/collections", json={"name": "first"}, headers={"Idempotency-Key": "k"})
    problem(await alice.post(place, json=body, headers={"Idempotency-Key": "k"}), 422, "invalid")


async def test_twins_have_one_effect(alice: Client) -> None:
    """Twenty at once: one creates, the others are given its answer."""
    answers = await asyncio.gather(
        *(
            alice.post("/v1/collections", json={"name": "twin"}, headers={"Idempotency-Key": "t"})
            for _ in range(20)
        )
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["collection_id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1


async def test_a_refused_request_keeps_nothing(alice: Client) -> None:
    """A corrected request may use the same key."""
    headers = {"Idempotency-Key": "k"}
    problem(await alice.post("/v1/collections", json={"name": "handbook"}, headers=headers), 409, "conflict")
    assert (await alice.post("/v1/collections", json={"name": "other"}, headers=headers)).status_code == 201


async def test_keys_of_others_are_independent(alice: Client, charlie: Client) -> None:
    """The same key in another tenant is another key."""
    headers = {"Idempotency-Key": "k"}
    ours = await alice.post("/v1/collections", json={"name": "same"}, headers=headers)
    theirs = await charlie.post("/v1/collections", json={"name": "same"}, headers=headers)
    assert ours.json()["collection_id"] != theirs.json()["collection_id"]


async def test_a_form_is_the_same_whatever_its_boundary(alice: Client) -> None:
    """What counts is what was uploaded."""
    answers = [
        await alice.post(PLACE, files={"file": ("a.txt", b"A")}, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    other = await alice.post(PLACE, files={"file": ("a.txt", b"B")}, headers={"Idempotency-Key": "k"})
    problem(other, 422, "invalid")


async def test_the_media_type_is_part_of_what_is_asked(alice: Client) -> None:
    """The same bytes as another kind of file are another request."""
    headers = {"Idempotency-Key": "k", "Content-Type": "text/plain"}
    params = {"external_id": "a", "filename": "a"}
    first = await alice.post(PLACE, content=b"# A", params=params, headers=headers)
    assert first.status_code == 202
    other = await alice.post(
        PLACE, content=b"# A", params=params, headers={**headers, "Content-Type": "text/markdown"}
    )
    problem(other, 422, "invalid")


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
async def test_a_malformed_key_is_refused(alice: Client, key: str) -> None:
    """1 to 255 printable ASCII characters."""
    answer = await alice.post("/v1/collections", json={"name": "x"}, headers={"Idempotency-Key": key})
    problem(answer, 400, "bad-request")
    problem(await alice.get("/v1/collections/x"), 404, "not-found")


async def test_a_tenant_is_created_once(operator: Client) -> None:
    """Twins and repetitions get the same tenant, and the secret once; another name is another request."""
    headers = {"Idempotency-Key": "a tenant"}
    answers = await asyncio.gather(
        *(operator.post("/v1/tenants", json={"name": "once"}, headers=headers) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["tenant"]["tenant_id"] for answer in answers}) == 1
    assert len([answer for answer in answers if answer.json()["secret"]]) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 4
    other = await operator.post("/v1/tenants", json={"name": "other"}, headers=headers)
    problem(other, 422, "invalid")
    refused = await operator.post("/v1/tenants", json={"name": "x"}, headers={"Idempotency-Key": ""})
    problem(refused, 400, "bad-request")


async def test_the_operator_issues_a_key_once(operator: Client, tenant: Scope) -> None:
    """The repeated answer names the key, and does not show its secret again."""
    place, headers = f"/v1/tenants/{tenant.tenant_id}/keys", {"Idempotency-Key": "issue"}
    first = (await operator.post(place, json={"name": "x"}, headers=headers)).json()
    again = (await operator.post(place, json={"name": "x"}, headers=headers)).json()
    assert first["secret"]
    assert again == {"key": first["key"], "secret": None}


async def test_a_document_is_retried_once(alice: Client, app: App) -> None:
    """Who lost the answer gets it, although there is nothing to retry any more."""
    files = {"file": ("broken.pdf", b"%PDF-1.4\nnothing of a PDF follows", "application/pdf")}
    document_id = (await alice.post(PLACE, files=files)).json()["items"][0]["document_id"]
    async with working(app):
        assert (await settled(alice, document_id))["state"] == "failed"
    retry = f"/v1/documents/{document_id}:retry"
    first, again = [await alice.post(retry, headers={"Idempotency-Key": "again"}) for _ in range(2)]
    assert (first.status_code, again.json()) == (202, first.json())
    problem(await alice.post(retry), 409, "conflict")
