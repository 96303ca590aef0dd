"""/v1/audit: what was done in a tenant, for its admins; and that what changes something is there."""

from typing import Any

import orjson
from api_scene import Client, MakeClient, client_of, problem, upload
from fastapi import FastAPI

from knowlog.database import Scope
from knowlog.tenants import Anchor, verify


async def records(client: Client, **wanted: Any) -> list[dict[str, Any]]:
    """A page of records."""
    answer = await client.get("/v1/audit", params=wanted)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_record_says_who_did_what_when_and_from_where(alice: Client) -> None:
    """The key, the action, its subject, address, program and request."""
    made = await alice.post(
        "/v1/keys", json={"name": "intranet"}, headers={"user-agent": "curl/8", "x-request-id": "r-17"}
    )
    (record,) = await records(alice, action="key.created", limit=1)
    assert record["actor"].startswith("key:")
    assert record["subject"] == f"key:{made.json()['key']['key_id']}"
    assert (record["user_agent"], record["request_id"]) == ("curl/8", "r-17")
    assert record["address"]
    assert record["at"].endswith("Z")
    assert record["detail"]["role"] == "reader"


async def test_a_refused_change_leaves_no_record(alice: Client) -> None:
    """Nothing was done."""
    before = await records(alice)
    problem(await alice.post("/v1/collections", json={"name": "handbook"}), 409, "conflict")
    assert await records(alice) == before


async def test_a_revoked_key_that_is_offered_is_told_once_an_hour(api: FastAPI, alice: Client) -> None:
    """With where it came from: somebody still has it."""
    made = (await alice.post("/v1/keys", json={"name": "lost"})).json()
    await alice.delete(f"/v1/keys/{made['key']['key_id']}")
    async with client_of(api, made["secret"]) as thief:
        for _ in range(3):
            problem(await thief.get("/v1/collections"), 401, "unauthenticated")
    (record,) = await records(alice, action="key.refused")
    assert record["actor"] == record["subject"] == f"key:{made['key']['key_id']}"
    assert record["detail"] == {"because": "revoked"}
    assert record["address"]


async def test_strangers_cannot_make_the_log_grow(
    api: FastAPI, alice: Client, operator: Client, tenant: Scope
) -> None:
    """Secrets that never were a key are counted, whatever tenant they name, and leave no record."""
    before = await records(alice)
    counted = await figure(operator, "knowlog_callers_refused_total")
    for number in range(3):
        async with client_of(api, f"kl_{tenant.tenant_id.hex}_{number:043}") as stranger:
            problem(await stranger.get("/v1/collections"), 401, "unauthenticated")
    assert await records(alice) == before
    assert await figure(operator, "knowlog_callers_refused_total") == counted + 3


async def figure(operator: Client, name: str) -> float:
    """What the server counts."""
    lines = (await operator.get("/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


async def test_a_repeated_request_is_recorded_once(alice: Client) -> None:
    """Its effect was one."""
    for _ in range(2):
        await alice.post("/v1/keys", json={"name": "once"}, headers={"idempotency-key": "k1"})
    assert len(await records(alice, action="key.created")) == 1


async def test_the_log_is_paged_filtered_and_checked(alice: Client) -> None:
    """Oldest first it is a chain that ends at its head."""
    for number in range(5):
        await alice.post("/v1/collections", json={"name": f"c{number}"})
    walked: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        params = {"order": "oldest", "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await alice.get("/v1/audit", params=params)).json()
        walked += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    head = (await alice.get("/v1/audit/head")).json()
    verdict = verify(walked, [Anchor(head["sequence"], head["hash"])])
    assert (verdict.records, verdict.problems) == (head["sequence"], [])
    assert (await records(alice, since=walked[3]["at"], order="oldest"))[0]["sequence"] == 4
    assert await records(alice, until=walked[0]["at"]) == []


async def test_documents_that_come_go_and_change_are_recorded_without_their_text(alice: Client) -> None:
    """Ids and numbers; never a title, a text or an external id."""
    document_id = await upload(alice, "CANARY-text", external_id="CANARY-id", title="CANARY-title")
    await alice.patch(f"/v1/documents/{document_id}", json={"title": "CANARY-new"})
    await alice.delete(f"/v1/documents/{document_id}")
    found = await records(alice, subject=f"document:{document_id}", order="oldest")
    assert [each["action"] for each in found] == [
        "documents.uploaded",
        "document.changed",
        "document.deleted",
    ]
    assert "CANARY" not in orjson.dumps(await records(alice)).decode()


async def test_webhooks_are_recorded_without_what_their_address_may_hide(alice: Client) -> None:
    """Of the address the host; of the secret nothing."""
    made = (
        await alice.post("/v1/webhooks", json={"url": "https://93.184.215.14/services/CANARY?token=CANARY"})
    ).json()
    place = f"/v1/webhooks/{made['webhook']['endpoint_id']}"
    rotated = (await alice.post(f"{place}:rotate")).json()
    await alice.delete(place)
    told = orjson.dumps(await records(alice)).decode()
    assert '"host":"93.184.215.14"' in told
    for secret in ("CANARY", made["secret"], rotated["secret"]):
        assert secret not in told


async def test_colleagues_and_limited_keys_do_not_read_it(
    alice: Client, bob: Client, make_client: MakeClient, tenant: Scope
) -> None:
    """It speaks of the whole tenant."""
    handbook = (await alice.get("/v1/collections/handbook")).json()["collection_id"]
    limited = await make_client(tenant, "admin", [handbook])
    for client in (bob, limited):
        problem(await client.get("/v1/audit"), 403, "forbidden")
        problem(await client.get("/v1/audit/head"), 403, "forbidden")
        problem(await client.get("/v1/operator/audit"), 401, "unauthenticated")


async def test_a_stranger_reads_his_own(alice: Client, charlie: Client) -> None:
    """Nothing of Alice's, whatever he filters by."""
    made = (await alice.post("/v1/keys", json={"name": "CANARY-alice"})).json()
    subject = f"key:{made['key']['key_id']}"
    assert await records(charlie, subject=subject) == []
    assert "CANARY-alice" not in orjson.dumps(await records(charlie)).decode()


async def test_what_the_operator_does_stands_in_both_chains(api: FastAPI, operator: Client) -> None:
    """The tenant sees it, and the operator's own chain has it too."""
    made = (await operator.post("/v1/tenants", json={"name": "watched"})).json()
    tenant_id = made["tenant"]["tenant_id"]
    issued = (await operator.post(f"/v1/tenants/{tenant_id}/keys", json={})).json()
    await operator.patch(f"/v1/tenants/{tenant_id}", json={"weight": 3})
    async with client_of(api, made["secret"]) as owner:
        own = [(each["action"], each["actor"]) for each in await records(owner, order="oldest")]
    acts = ["tenant.created", "key.created", "key.issued", "tenant.changed"]
    assert own == [(act, "operator") for act in acts]
    page = (await operator.get("/v1/operator/audit")).json()["items"]
    kept = [each["action"] for each in page if each["detail"].get("tenant_id") == tenant_id]
    assert sorted(kept) == ["key.issued", "tenant.changed", "tenant.created"]
    assert issued["secret"] not in orjson.dumps(page).decode()
    assert (await operator.get("/v1/operator/audit/head")).json()["sequence"] >= 3
