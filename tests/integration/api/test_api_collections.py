"""/v1/collections: owner, colleague, stranger."""

import asyncio

import pytest
from api_scene import Client, MakeClient, problem

from knowlog.bootstrap import App
from knowlog.database import Scope
from knowlog.documents import get_collection
from knowlog.documents.collections import hold_collection


async def test_a_collection_is_created_shown_and_listed(alice: Client, bob: Client) -> None:
    """Its place is its id; its name finds it as well; a reader sees it."""
    made = await alice.post("/v1/collections", json={"name": "manuals"})
    assert made.status_code == 201
    assert made.json()["profile"]["chunking"]["strategy"] == "recursive"
    assert (await bob.get(made.headers["location"])).json() == made.json()
    assert (await bob.get("/v1/collections/manuals")).json() == made.json()
    assert [found["name"] for found in (await bob.get("/v1/collections")).json()["items"]] == [
        "handbook",
        "manuals",
    ]


async def test_pages_follow_each_other(alice: Client) -> None:
    """Names in order, page by page."""
    for name in ("a", "b", "c"):
        await alice.post("/v1/collections", json={"name": name})
    first = (await alice.get("/v1/collections", params={"limit": 3})).json()
    second = (await alice.get("/v1/collections", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [found["name"] for found in first["items"] + second["items"]] == ["a", "b", "c", "handbook"]
    assert second["next_cursor"] is None


async def test_a_name_is_taken_once(alice: Client) -> None:
    """The second collection of a name is a conflict."""
    problem(await alice.post("/v1/collections", json={"name": "handbook"}), 409, "conflict")


async def test_a_change_demands_the_state_that_was_read(alice: Client) -> None:
    """If-Match with an old ETag changes nothing."""
    tag = (await alice.get("/v1/collections/handbook")).headers["etag"]
    change = {"profile": {"chunking": {"size_tokens": 64}}}
    changed = await alice.patch("/v1/collections/handbook", json=change, headers={"If-Match": tag})
    assert changed.json()["profile"]["chunking"]["size_tokens"] == 64
    late = await alice.patch("/v1/collections/handbook", json={"name": "other"}, headers={"If-Match": tag})
    problem(late, 412, "precondition-failed")
    assert (await alice.get("/v1/collections/handbook")).status_code == 200


async def test_of_two_changes_from_one_state_one_is_made(alice: Client) -> None:
    """Renaming counts as a change, and nothing comes between looking and writing."""
    tag = (await alice.get("/v1/collections/handbook")).headers["etag"]
    place = "/v1/collections/" + (await alice.get("/v1/collections/handbook")).json()["collection_id"]
    answers = await asyncio.gather(
        *(
            alice.patch(place, json={"name": f"name {number}"}, headers={"If-Match": tag})
            for number in range(8)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    assert (await alice.get(place)).json()["profile_version"] == 1


@pytest.mark.parametrize(
    "profile",
    [
        {"chunking": {"size_tokens": 100000}},
        {"chunking": {"strategy": "magic"}},
        {"nonsense": {}},
        {"chunking": 3},
    ],
)
async def test_a_profile_that_cannot_be_is_refused(alice: Client, profile: dict[str, object]) -> None:
    """Each section is checked when it is given, not when the first document fails."""
    problem(await alice.post("/v1/collections", json={"name": "x", "profile": profile}), 422, "invalid")
    problem(await alice.get("/v1/collections/x"), 404, "not-found")


async def test_only_admins_change_collections(make_client: MakeClient, tenant: Scope, alice: Client) -> None:
    """An editor works in collections and does not make or remove them."""
    editor = await make_client(tenant, "editor")
    problem(await editor.post("/v1/collections", json={"name": "x"}), 403, "forbidden")
    problem(await editor.patch("/v1/collections/handbook", json={"name": "x"}), 403, "forbidden")
    problem(await editor.delete("/v1/collections/handbook"), 403, "forbidden")


async def test_a_stranger_finds_nothing(alice: Client, charlie: Client) -> None:
    """By name or id, another tenant's collection is absent; the same name is free for each tenant."""
    place = f"/v1/collections/{(await alice.get('/v1/collections/handbook')).json()['collection_id']}"
    for found in (place, "/v1/collections/handbook"):
        problem(await charlie.get(found), 404, "not-found")
        problem(await charlie.patch(found, json={"name": "x"}), 404, "not-found")
        problem(await charlie.delete(found), 404, "not-found")
        problem(await charlie.get(f"{found}/documents"), 404, "not-found")
        problem(await charlie.get(f"{found}/states"), 404, "not-found")
    assert (await charlie.post("/v1/collections", json={"name": "handbook"})).status_code == 201


async def test_a_deleted_collection_takes_its_documents_along(alice: Client, warranty: str) -> None:
    """Neither the collection nor its documents are found afterwards."""
    receipt = (await alice.delete("/v1/collections/handbook")).json()
    assert (receipt["name"], receipt["documents"], receipt["versions"]) == ("handbook", 1, 1)
    assert receipt["chunks"] == receipt["vectors"] >= 1
    proof = receipt["proof"]
    assert proof["found_before"] == proof["searches"] >= 2
    assert (proof["found_after"], sum(proof["rows_left"].values())) == (0, 0)
    problem(await alice.get(f"/v1/documents/{warranty}"), 404, "not-found")
    assert (await alice.post("/v1/search", json={"question": "warranty of the probe"})).json()[
        "passages"
    ] == []


async def test_states_are_counted(alice: Client, warranty: str) -> None:
    """How far ingestion has come."""
    found = (await alice.get("/v1/collections/handbook/states")).json()
    assert found["states"] == {"indexed": 1}
    assert found["collection"] == (await alice.get("/v1/collections/handbook")).json()
    assert found["collection"]["document_count"] == 1


async def test_a_collection_shows_by_which_key_it_answers_and_what_is_built(
    app, alice, warranty, tenant
) -> None:
    """`embedding`: the key, and how far another one is."""
    shown = (await alice.get("/v1/collections/handbook")).json()["embedding"]
    assert shown == {"key": app.embedder.profile.key, "building": None}
    async with app.database.transaction(tenant) as connection:
        await connection.execute(
            "insert into embedding_builds (tenant_id, collection_id, embedding_key, done, total, reason, lease_until)"
            " select tenant_id, collection_id, 'another', 1, 4, 'It is down.', now() + interval '1 hour' from collections"
        )
    building = {"key": "another", "done": 1, "total": 4, "reason": "It is down."}
    assert (await alice.get("/v1/collections/handbook")).json()["embedding"]["building"] == building
    assert (await alice.get("/v1/collections")).json()["items"][0]["embedding"]["building"] == building


async def test_an_answer_says_that_the_model_of_its_collection_is_gone(app, alice, warranty, tenant) -> None:
    """In a search as in an answer; both go on by words."""
    async with app.database.transaction(tenant) as connection:
        await connection.execute("update collections set embedding_key = 'of-old'")
    asked = {"question": "How long does the warranty of the probe last?"}
    for route in ("/v1/search", "/v1/answers"):
        found = (await alice.post(route, json=asked)).json()
        assert found["degraded"] == ["dense"]
        assert "by their words alone" in found["notes"][0]
    assert "24 months" in found["text"]
    async with app.database.transaction(tenant) as connection:
        await connection.execute("update collections set embedding_key = $1", app.embedder.profile.key)


async def test_an_upload_does_not_count_what_is_there(app: App, tenant: Scope, warranty: str) -> None:
    """The more documents there are, the longer that takes."""
    read = (
        "select sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid)) from pg_class"
        " where oid = 'documents'::regclass"
        " or oid in (select indexrelid from pg_index where indrelid = 'documents'::regclass)"
    )
    async with app.database.transaction(tenant) as connection:
        before = await connection.fetchval(read)
        await hold_collection(connection, tenant, "handbook")
        assert await connection.fetchval(read) == before
        assert (await get_collection(connection, tenant, "handbook")).document_count == 1
        assert await connection.fetchval(read) > before
