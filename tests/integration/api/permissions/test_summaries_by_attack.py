"""A summary never shows what its reader may not see: not a cached one, not an old one, not somebody else's."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from api_scene import Client, MakeClient, problem, settled, upload, working
from permission_scene import CANARY, Secret

from knowlog.bootstrap import App
from knowlog.database import Scope

WISH = {"collection": "handbook", "length": 20}


async def summary(app: App, client: Client, **changes: Any) -> dict[str, Any]:
    """A summary of the handbook as a client gets it."""
    asked = await client.post("/v1/summaries", json=WISH | changes)
    assert asked.status_code in (200, 202), asked.text
    async with working(app):
        return await made(client, asked.json()["summary_id"])


async def made(client: Client, summary_id: str) -> dict[str, Any]:
    """A summary that is not under way any more."""
    while (found := (await client.get(f"/v1/summaries/{summary_id}")).json())["state"] in (
        "waiting",
        "running",
    ):
        await asyncio.sleep(0.02)
    return dict(found)


async def test_a_cached_summary_is_not_shared_with_who_sees_less(
    app: App, alice: Client, bob: Client, dora: Client, secret: Secret
) -> None:
    """Alice's summary holds the secret. Bob's is made of what he sees; Dora, who sees all, has a copy."""
    whole = await summary(app, alice)
    assert CANARY in whole["text"]
    assert whole["document_count"] == 2
    less = await summary(app, bob)
    assert (less["state"], less["document_count"]) == ("done", 1)
    assert CANARY not in str(less)
    same = await dora.post("/v1/summaries", json=WISH)  # no worker runs: it is there at once
    assert (same.status_code, same.json()["text"]) == (200, whole["text"])
    assert same.json()["summary_id"] != whole["summary_id"]


async def test_a_summary_of_others_is_absent(
    app: App, alice: Client, dora: Client, charlie: Client, secret: Secret
) -> None:
    """Even for who may see all that it says: what somebody asks about is their own. And for another tenant."""
    theirs = await summary(app, alice, topic="the settlement")
    address = f"/v1/summaries/{theirs['summary_id']}"
    for stranger in (dora, charlie):
        problem(await stranger.get(address), 404, "not-found")
        problem(await stranger.post(f"{address}:renew"), 404, "not-found")
        problem(await stranger.delete(address), 404, "not-found")
        assert (await stranger.get("/v1/summaries")).json()["items"] == []
    assert (await alice.get(address)).json()["state"] == "done"


async def test_who_may_not_see_a_document_any_more_loses_its_summaries(
    app: App, alice: Client, dora: Client, secret: Secret
) -> None:
    """At once, also from lists; the same wish is made anew of what is left. Batches' summaries go alike."""
    before = await summary(app, dora)
    assert CANARY in before["text"]
    one = await summary(app, dora, collection=None, document_id=secret.document_id)
    assert CANARY in one["text"]
    path = f"/v1/documents/{secret.document_id}/access"
    assert (await alice.put(path, json={"subjects": []})).is_success
    for lost in (before, one):
        problem(await dora.get(f"/v1/summaries/{lost['summary_id']}"), 404, "not-found")
    assert (await dora.get("/v1/summaries")).json()["items"] == []
    after = await summary(app, dora)
    assert after["summary_id"] != before["summary_id"]
    assert CANARY not in str(after)


async def test_the_database_hides_them_itself(
    app: App, alice: Client, tenant: Scope, secret: Secret, legal: UUID
) -> None:
    """Whatever a query forgets: who stands for nobody sees no summary, source or digest of the secret, and whoever is in
    the group sees them.
    """
    await summary(app, alice)
    counted = []
    for subjects in (frozenset[UUID](), frozenset({legal})):
        async with app.database.transaction(
            Scope(tenant.tenant_id, "key:x", subjects=subjects)
        ) as connection:
            counted.append(
                [
                    await connection.fetchval(f"select count(*) from {table}")
                    for table in ("summaries", "summary_sources", "document_digests")
                ]
            )
    assert counted == [[0, 1, 1], [1, 2, 2]]


async def test_a_batch_is_of_what_its_asker_sees(app: App, bob: Client, dora: Client, secret: Secret) -> None:
    """Bob's has one document, Dora's two; neither sees the other's batch."""
    counts = []
    for client in (bob, dora):
        batch = (await client.post("/v1/summaries/batches", json=WISH)).json()
        async with working(app):
            while (found := (await client.get(f"/v1/summaries/batches/{batch['batch_id']}")).json())[
                "state"
            ] != "done":
                await asyncio.sleep(0.02)
        listed = (await client.get("/v1/summaries", params={"batch": batch["batch_id"]})).json()["items"]
        counts.append((found["done"], len(listed)))
        other = dora if client is bob else bob
        problem(await other.get(f"/v1/summaries/batches/{batch['batch_id']}"), 404, "not-found")
    assert counts == [(1, 1), (2, 2)]


async def test_a_key_of_some_collections_summarizes_no_other(
    app: App, alice: Client, make_client: MakeClient, tenant: Scope, handbook: str
) -> None:
    """Neither by the name of the other collection, nor by the id of a document in it."""
    other = (await alice.post("/v1/collections", json={"name": "other"})).json()
    limited = await make_client(tenant, "reader", [other["collection_id"]])
    problem(await limited.post("/v1/summaries", json=WISH), 404, "not-found")
    problem(await limited.post("/v1/summaries", json={"document_id": handbook}), 404, "not-found")


@pytest.mark.parametrize("late", [True, False])
async def test_what_is_deleted_is_in_no_summary(
    app: App, alice: Client, bob: Client, handbook: str, late: bool
) -> None:
    """The receipt counts the summaries that went, whoever asked for them; a later one rests on what is left."""
    async with working(app):
        other = await upload(alice, "The probe is made of steel in Bremen.", external_id="steel")
        await settled(alice, other)
    if late:
        gone = await summary(app, bob)
        assert "steel" in gone["text"]
    receipt = (await alice.delete(f"/v1/documents/{other}")).json()
    assert (receipt["summaries"], receipt["proof"]["rows_left"]["summaries"]) == (int(late), 0)
    if late:
        problem(await bob.get(f"/v1/summaries/{gone['summary_id']}"), 404, "not-found")
    assert "steel" not in str(await summary(app, bob))
