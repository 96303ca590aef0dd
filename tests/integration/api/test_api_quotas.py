"""Limits over HTTP: what answers say, what is refused, and that what is stored is counted exactly."""

import asyncio
from collections import Counter
from uuid import uuid4

import pytest
from api_scene import Client, MakeClient, problem, settled, upload, working

from knowlog.bootstrap import App
from knowlog.database import Scope


async def limit(operator: Client, scope: Scope, **limits: int | None) -> dict[str, object]:
    answer = await operator.put(f"/v1/tenants/{scope.tenant_id}/limits", json=limits)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def used(client: Client, kind: str) -> int:
    found = (await client.get("/v1/usage")).json()["limits"]
    return next(each["used"] for each in found if each["limit"] == kind)


async def send(client: Client, text: str, name: str, **headers: str):
    body = {"text": text, "external_id": name}
    return await client.post("/v1/collections/handbook/documents", json=body, headers=headers)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/collections", 200),
        ("GET", "/v1/documents/00000000-0000-7000-8000-000000000000", 404),
        ("POST", "/v1/search", 422),
        ("GET", "/v1/tenants", 401),
    ],
)
async def test_every_answer_to_a_known_caller_says_how_its_limits_stand(
    alice: Client, method: str, path: str, status: int
) -> None:
    """Refusals too; whoever is not known here learns nothing."""
    answer = await alice.request(method, path)
    assert answer.status_code == status
    told = answer.headers.get("ratelimit-policy"), answer.headers.get("ratelimit")
    if status == 401:
        assert told == (None, None)
    else:
        assert told[0] == '"requests";q=600000;w=60'
        assert str(told[1]).startswith('"requests";r=')


async def test_beyond_its_limit_a_tenant_is_told_when_to_come_back(
    alice: Client, charlie: Client, operator: Client, tenant: Scope
) -> None:
    """429 with Retry-After; a stranger's next request is served."""
    before = (await alice.get("/v1/collections")).status_code
    await limit(operator, tenant, requests_per_minute=8)
    statuses = Counter([(await alice.get("/v1/collections")).status_code for _ in range(20)])
    refused = await alice.get("/v1/collections")
    found = problem(refused, 429, "limit-reached")
    assert before == 200
    assert statuses[200] <= 8
    assert statuses.keys() <= {200, 429}
    assert "8 requests a minute of your tenant" in str(found["detail"])
    assert found["limit"] == "requests_per_minute"
    assert 1 <= int(refused.headers["retry-after"]) <= 65
    assert refused.headers["ratelimit"].startswith('"requests";r=0;t=')
    assert (await charlie.get("/v1/collections")).status_code == 200


async def test_a_refused_upload_is_not_read(alice: Client, operator: Client, tenant: Scope) -> None:
    """The refusal comes by the headers alone, and nothing is stored."""
    await limit(operator, tenant, uploads_per_minute=1)
    assert (await send(alice, "one", "a")).status_code == 202
    problem(await send(alice, "x" * 100_000, "b"), 429, "limit-reached")
    assert await used(alice, "documents") == 1


async def test_a_batch_counts_as_its_documents(alice: Client, operator: Client, tenant: Scope) -> None:
    await limit(operator, tenant, uploads_per_minute=5)
    items = [{"text": f"t{n}", "external_id": f"d{n}"} for n in range(6)]
    place = "/v1/collections/handbook/documents:batch"
    refused = await alice.post(place, json=items)
    assert refused.status_code in {422, 429}, refused.text
    taken = await alice.post(place, json=items[:4])
    assert taken.status_code == 202, taken.text
    assert await used(alice, "documents") == 4


async def test_fifty_uploads_at_once_end_with_exactly_the_limit(
    alice: Client, operator: Client, tenant: Scope
) -> None:
    """Documents, and bytes: ten of a hundred bytes fit."""
    await limit(operator, tenant, stored_bytes=1000)
    answers = await asyncio.gather(*(send(alice, f"{n:0100}", f"d{n}") for n in range(50)))
    assert Counter(each.status_code for each in answers) == {202: 10, 429: 40}
    assert await used(alice, "stored_bytes") == 1000
    await limit(operator, tenant, documents=15)
    answers = await asyncio.gather(*(send(alice, f"{n}", f"more{n}") for n in range(50)))
    assert Counter(each.status_code for each in answers) == {202: 5, 429: 45}
    assert await used(alice, "documents") == 15


async def test_what_is_refused_leaves_no_bytes(
    app: App, alice: Client, operator: Client, tenant: Scope
) -> None:
    """Neither rows nor originals: a tenant at its limit costs no disk."""
    await limit(operator, tenant, documents=1)
    await asyncio.gather(*(send(alice, f"{n}", f"d{n}") for n in range(20)))
    folder = app.settings.data_dir / "blobs" / str(tenant.tenant_id)
    kept = [path for path in app.settings.data_dir.rglob(f"*{tenant.tenant_id}*/**/*") if path.is_file()]
    assert len(kept) == 1, (folder, kept)


async def test_a_refusal_of_what_is_stored_says_which_limit(
    alice: Client, operator: Client, tenant: Scope
) -> None:
    await limit(operator, tenant, stored_bytes=10)
    found = problem(await send(alice, "more than ten bytes", "a"), 429, "limit-reached")
    assert "10 stored bytes of your tenant" in str(found["detail"])
    assert found["limit"] == "stored_bytes"


async def test_a_document_that_is_deleted_and_made_anew_counts_once(
    app: App, alice: Client, operator: Client, tenant: Scope
) -> None:
    """Also at the limit."""
    await limit(operator, tenant, documents=1, stored_bytes=5)
    for _ in range(3):
        async with working(app):
            document_id = await upload(alice, "12345", external_id="a")
            await settled(alice, document_id)
        assert (await used(alice, "documents"), await used(alice, "stored_bytes")) == (1, 5)
        assert (await alice.delete(f"/v1/documents/{document_id}")).status_code == 200
        assert (await used(alice, "documents"), await used(alice, "stored_bytes")) == (0, 0)


async def test_a_replaced_version_is_counted_until_it_is_gone(app: App, alice: Client) -> None:
    """Both while both are stored; afterwards the new one alone."""
    async with working(app):
        await settled(alice, await upload(alice, "1234567890", external_id="a"))
        document_id = await upload(alice, "12345", external_id="a")
        await settled(alice, document_id)
    assert (await used(alice, "documents"), await used(alice, "stored_bytes")) == (1, 5)


async def test_a_deleted_collection_is_not_counted(alice: Client) -> None:
    """What the database removes by itself is counted too."""
    await send(alice, "12345", "a")
    collection = (await alice.get("/v1/collections/handbook")).json()
    gone = await alice.delete(f"/v1/collections/{collection['collection_id']}")
    assert gone.status_code in {200, 202, 204}, gone.text
    assert (await used(alice, "documents"), await used(alice, "stored_bytes")) == (0, 0)


async def test_a_repeated_request_is_counted_once(alice: Client, operator: Client, tenant: Scope) -> None:
    """By its Idempotency-Key; it gets its answer also when the limit is reached meanwhile."""
    await limit(operator, tenant, documents=1)
    answers = [await send(alice, "12345", "a", **{"Idempotency-Key": "once"}) for _ in range(3)]
    assert [each.status_code for each in answers] == [202, 202, 202]
    assert (await used(alice, "documents"), await used(alice, "stored_bytes")) == (1, 5)
    assert await used(alice, "upload_bytes_per_day") == 5


async def test_the_same_bytes_again_are_no_more_bytes(alice: Client, operator: Client, tenant: Scope) -> None:
    """At the limit, nothing new is nothing to refuse."""
    await limit(operator, tenant, documents=1, stored_bytes=5, upload_bytes_per_day=5)
    assert (await send(alice, "12345", "a")).status_code == 202
    assert (await send(alice, "12345", "a")).status_code == 200


async def test_bytes_of_a_day_are_not_given_back(alice: Client, operator: Client, tenant: Scope) -> None:
    """Deleting makes room, and not for another upload today."""
    await limit(operator, tenant, upload_bytes_per_day=8)
    document_id = await upload(alice, "12345", external_id="a")
    await alice.delete(f"/v1/documents/{document_id}")
    found = problem(await send(alice, "67890", "b"), 429, "limit-reached")
    assert "the day ends in" in str(found["detail"])
    assert (await send(alice, "678", "c")).status_code == 202


async def test_a_key_has_a_days_bytes_of_its_own(
    alice: Client, make_client: MakeClient, tenant: Scope
) -> None:
    """Set by an admin of its tenant; others are not held to it."""
    bob = await make_client(tenant, "editor")
    key_id = next(
        each["key_id"] for each in (await alice.get("/v1/keys")).json()["items"] if each["role"] == "editor"
    )
    answer = await alice.put(f"/v1/keys/{key_id}/limits", json={"upload_bytes_per_day": 5})
    assert answer.status_code == 200, answer.text
    assert (await send(bob, "12345", "a")).status_code == 202
    assert "of your key" in str(problem(await send(bob, "6", "b"), 429, "limit-reached")["detail"])
    assert (await send(alice, "6", "c")).status_code == 202


async def test_documents_wait_while_their_tenant_has_embedded_enough(
    app: App, alice: Client, charlie: Client, operator: Client, tenant: Scope
) -> None:
    """Others' are indexed; a higher limit lets them go on at once, without an attempt lost."""
    await limit(operator, tenant, embedding_tokens_per_day=0)
    await charlie.post("/v1/collections", json={"name": "handbook"})
    async with working(app):
        waiting = await upload(alice, "A text of some words.", external_id="a")
        assert (await settled(charlie, await upload(charlie, "Another.", external_id="b")))[
            "state"
        ] == "indexed"
        for _ in range(200):
            document = (await alice.get(f"/v1/documents/{waiting}")).json()
            if document["reason"]:
                break
            await asyncio.sleep(0.05)
        assert document["state"] == "received"
        assert "embedded tokens a day" in document["reason"]
        await limit(operator, tenant, embedding_tokens_per_day=1000)
        assert (await settled(alice, waiting))["state"] == "indexed"
    assert 3 <= await used(alice, "embedding_tokens_per_day") <= 20


async def test_tokens_of_questions_are_counted(app: App, alice: Client, warranty: str) -> None:
    """Of searches and answers alike, for the tenant that asks."""
    before = await used(alice, "embedding_tokens_per_day")
    for kind in ("search", "answers"):
        assert (
            await alice.post(f"/v1/{kind}", json={"question": "How long is the warranty?"})
        ).status_code == 200
    await app.limiter.flush()
    assert before + 8 <= await used(alice, "embedding_tokens_per_day") <= before + 24


@pytest.mark.parametrize(
    "body", [{"documents": -1}, {"documents": 2**53 + 1}, {"documents": 10**30}, {"documents": 1.5},
             {"documents": "many"}, {"documnets": 1}, {"documents": True}, []],
)  # fmt: skip
async def test_a_limit_that_makes_no_sense_is_refused(operator: Client, tenant: Scope, body: object) -> None:
    """And nothing changes."""
    await limit(operator, tenant, documents=7)
    refused = await operator.put(f"/v1/tenants/{tenant.tenant_id}/limits", json=body)
    assert refused.status_code in {400, 422}, refused.text
    found = (await operator.get(f"/v1/tenants/{tenant.tenant_id}/limits")).json()["limits"]
    assert {each["limit"]: each["most"] for each in found}["documents"] == 7


async def test_a_tenant_cannot_set_its_own_limits_nor_see_anothers(
    alice: Client, charlie: Client, tenant: Scope
) -> None:
    """The operator's addresses are closed; a stranger's key does not exist."""
    for place in (f"/v1/tenants/{tenant.tenant_id}/limits",):
        for client in (alice, charlie):
            problem(await client.get(place), 401, "unauthenticated")
            problem(await client.put(place, json={}), 401, "unauthenticated")
    key_id = (await alice.get("/v1/keys")).json()["items"][0]["key_id"]
    absent = problem(await charlie.get(f"/v1/keys/{uuid4()}/limits"), 404, "not-found")
    for answer in (
        await charlie.get(f"/v1/keys/{key_id}/limits"),
        await charlie.put(f"/v1/keys/{key_id}/limits", json={"requests_per_minute": 1}),
    ):
        assert problem(answer, 404, "not-found")["detail"] == absent["detail"]


async def test_an_admin_limits_no_owners_key(alice: Client, make_client: MakeClient, tenant: Scope) -> None:
    """Nor does a reader see usage."""
    admin, reader = await make_client(tenant, "admin"), await make_client(tenant, "reader")
    owners = next(
        each["key_id"] for each in (await alice.get("/v1/keys")).json()["items"] if each["role"] == "owner"
    )
    problem(await admin.put(f"/v1/keys/{owners}/limits", json={"requests_per_minute": 0}), 403, "forbidden")
    problem(await reader.get("/v1/usage"), 403, "forbidden")
    problem(await reader.get(f"/v1/keys/{owners}/limits"), 403, "forbidden")


async def test_usage_is_shown_by_limit_and_by_day(alice: Client, operator: Client, tenant: Scope) -> None:
    """To the tenant, and to the operator; what has no limit too."""
    await limit(operator, tenant, documents=10)
    await send(alice, "12345", "a")
    own = (await alice.get("/v1/usage", params={"days": 1})).json()
    seen = (await operator.get(f"/v1/tenants/{tenant.tenant_id}/limits")).json()
    by_name = {each["limit"]: each for each in own["limits"]}
    assert (by_name["documents"]["most"], by_name["documents"]["used"]) == (10, 1)
    assert (by_name["stored_bytes"]["most"], by_name["stored_bytes"]["used"]) == (None, 5)
    assert by_name["upload_bytes_per_day"]["resets_at"]
    days = {each["counted"]: each["amount"] for each in own["days"]}
    assert days["upload_bytes"] == 5
    assert days["uploads"] == 1
    assert days["requests"] >= 2
    assert {each["limit"] for each in seen["limits"]} == set(by_name)


async def test_refusals_are_counted_for_the_operator(alice: Client, operator: Client, tenant: Scope) -> None:
    """By limit, and without naming a tenant."""
    await limit(operator, tenant, documents=0)
    await send(alice, "12345", "a")
    figures = (await operator.get("/metrics")).text
    assert 'knowlog_limits_refused_total{limit="documents"}' in figures
    assert "knowlog_limits_takes" in figures
    assert str(tenant.tenant_id) not in figures
