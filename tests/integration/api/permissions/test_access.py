"""Lists are read and changed by admins, and hold at once."""

from uuid import UUID, uuid4

import pytest
from api_scene import Client, MakeClient, problem, settled, upload, working
from permission_scene import CANARY, Secret

from knowlog.bootstrap import App
from knowlog.database import Scope


async def status(client: Client, secret: Secret) -> int:
    """What a client gets when it asks for the document."""
    return (await client.get(f"/v1/documents/{secret.document_id}")).status_code


async def test_a_list_is_shown_and_changed(alice: Client, bob: Client, secret: Secret, legal: UUID) -> None:
    """PATCH names subjects and takes them out, PUT replaces, null inherits."""
    path = f"/v1/documents/{secret.document_id}/access"
    assert (await alice.get(path)).json() == {"subjects": [str(legal)], "effective": [str(legal)]}
    other = str(uuid4())
    added = await alice.patch(path, json={"allow": [other]})
    assert set(added.json()["subjects"]) == {other, str(legal)}
    assert (await alice.patch(path, json={"deny": [str(legal)]})).json()["subjects"] == [other]
    assert await status(bob, secret) == 404
    assert (await alice.put(path, json={"subjects": None})).json() == {"subjects": None, "effective": None}
    assert await status(bob, secret) == 200


async def test_nobody_is_taken_out_of_no_list(alice: Client, handbook: str) -> None:
    """A document for all becomes one for some when they are named."""
    answer = await alice.patch(f"/v1/documents/{handbook}/access", json={"deny": [str(uuid4())]})
    problem(answer, 409, "conflict")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
async def test_lists_are_for_admins(dora: Client, secret: Secret, method: str) -> None:
    """An editor sees the document, not who else does."""
    for path in (f"/v1/documents/{secret.document_id}/access", "/v1/collections/handbook/access"):
        problem(await dora.request(method, path, json={"subjects": None}), 403, "forbidden")


async def test_an_editor_cannot_bring_a_list(bob: Client, handbook: str) -> None:
    """Nothing is stored."""
    body = {"text": "Mine.", "external_id": "mine", "access": [str(uuid4())]}
    problem(await bob.post("/v1/collections/handbook/documents", json=body), 403, "forbidden")
    assert (await bob.get("/v1/documents", params={"external_id": "mine"})).json()["items"] == []


async def test_a_form_and_an_address_bring_a_list_too(alice: Client, bob: Client, legal: UUID) -> None:
    """`access` holds ids with commas."""
    path = "/v1/collections/handbook/documents"
    group = f"{legal},{uuid4()}"
    form = await alice.post(path, files={"file": ("a.txt", b"A text.")}, data={"access": group})
    raw = await alice.post(path, params={"access": group, "external_id": "b"}, content=b"B text.")
    assert (form.status_code, raw.status_code) == (202, 202), (form.text, raw.text)
    assert (await bob.get("/v1/documents")).json()["items"] == []


async def test_a_collection_is_hidden_with_all_in_it(
    alice: Client, bob: Client, dora: Client, secret: Secret, legal: UUID
) -> None:
    """From whoever its list does not name: absent from lists, unknown by name."""
    await alice.put("/v1/collections/handbook/access", json={"subjects": [str(legal)]})
    assert (await bob.get("/v1/collections")).json()["items"] == []
    assert (await dora.get("/v1/collections")).json()["items"][0]["document_count"] == 2
    hidden, absent = [
        (await bob.post(f"/v1/collections/{name}/documents", json={"text": "x"}))
        .json()["detail"]
        .replace(name, "")
        for name in ("handbook", "nothing")
    ]
    assert hidden == absent
    assert (await bob.post("/v1/search", json={"question": "warranty"})).json()["passages"] == []


async def test_a_document_of_a_hidden_collection_can_be_shared(
    make_client: MakeClient, tenant: Scope, alice: Client, secret: Secret, handbook: str
) -> None:
    """Its own list goes before the collection's: that one is seen, and nothing else; nothing can be added."""
    board, nobody = uuid4(), []
    bob = await make_client(tenant, "editor", groups=[board])
    await alice.put("/v1/collections/handbook/access", json={"subjects": nobody})
    await alice.put(f"/v1/documents/{handbook}/access", json={"subjects": [str(board)]})
    listed = (await bob.get("/v1/collections")).json()["items"]
    assert [(each["name"], each["document_count"]) for each in listed] == [("handbook", 1)]
    found = (await bob.post("/v1/search", json={"question": f"warranty {CANARY}"})).json()["passages"]
    assert [each["document_id"] for each in found] == [handbook]
    answer = await bob.post("/v1/collections/handbook/documents", json={"text": "x"})
    problem(answer, 403, "forbidden")


async def test_a_deleted_collection_is_told_to_those_who_saw_it(
    alice: Client, bob: Client, dora: Client, secret: Secret, legal: UUID
) -> None:
    """Its name stands in the event."""
    await alice.put("/v1/collections/handbook/access", json={"subjects": [str(legal)]})
    await alice.delete("/v1/collections/handbook")
    asked = {"type": "collection.deleted"}
    assert (await bob.get("/v1/events", params=asked)).json()["items"] == []
    assert len((await dora.get("/v1/events", params=asked)).json()["items"]) == 1


async def test_a_change_is_told_to_those_who_see_the_document(
    alice: Client, bob: Client, dora: Client, secret: Secret
) -> None:
    """Not to whoever does not any more."""
    asked = {"type": "document.access_changed"}
    assert (await bob.get("/v1/events", params=asked)).json()["items"] == []
    assert len((await dora.get("/v1/events", params=asked)).json()["items"]) == 1


async def test_a_key_says_for_which_groups_it_stands(alice: Client, legal: UUID) -> None:
    """Created, shown and listed with them."""
    made = await alice.post("/v1/keys", json={"name": "legal search", "groups": [str(legal)]})
    key = made.json()["key"]
    assert key["groups"] == [str(legal)]
    assert (await alice.get(f"/v1/keys/{key['key_id']}")).json()["groups"] == [str(legal)]


async def test_an_editor_who_is_named_works_on_it(app: App, dora: Client, secret: Secret) -> None:
    """Replaces, renames and deletes, under the policies."""
    async with working(app):
        assert await upload(dora, f"The {CANARY} is dead.", external_id="settlement") == secret.document_id
        assert (await settled(dora, secret.document_id))["latest"] == 2
    changed = await dora.patch(f"/v1/documents/{secret.document_id}", json={"title": "Closed"})
    assert changed.json()["title"] == "Closed"
    receipt = (await dora.delete(f"/v1/documents/{secret.document_id}")).json()
    assert (receipt["proof"]["found_after"], receipt["chunks"]) == (0, 1)
