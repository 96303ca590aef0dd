"""/scim/v2/Groups: who is in a group sees what is for it, from their next call on."""

from typing import Any

import pytest
from api_scene import Client, settled, upload, working
from people_scene import People, new_email
from provisioning_scene import GROUP, Provider, refused

from knowlog.bootstrap import App
from knowlog.database import Scope
from knowlog.provisioning import groups


def members(group: dict[str, Any]) -> set[str]:
    """Who is in a group."""
    return {each["value"] for each in group.get("members", ())}


async def test_who_leaves_a_group_loses_its_documents_with_the_next_call(
    app: App, alice: Client, provider: Provider, people: People, tenant: Scope
) -> None:
    """And who joins sees them: in search, by id, and in the list."""
    email = new_email("bob")
    member = await people.joined(alice, tenant, email)
    bob, _ = await people.signed_in(email)
    group = await provider.group("Legal / Berlin")
    async with working(app):
        secret = await upload(
            alice, "The settlement costs nine million.", external_id="s", access=[group["id"]]
        )
        await settled(alice, secret)

    async def sees() -> tuple[int, int, int]:
        hits = (await bob.post("/v1/search", json={"question": "settlement"})).json()["passages"]
        listed = (await bob.get("/v1/documents")).json()["items"]
        return len(hits), len(listed), (await bob.get(f"/v1/documents/{secret}")).status_code

    join = {"op": "Add", "path": "members", "value": [{"value": member["member_id"]}]}
    leave = {"op": "Remove", "path": f'members[value eq "{member["member_id"]}"]'}
    for change, seen in ((join, (1, 1, 200)), (leave, (0, 0, 404)), (join, (1, 1, 200))):
        assert (await provider.patch(f"Groups/{group['id']}", change)).status_code == 204
        assert await sees() == seen
    assert (await provider.http.delete(f"/scim/v2/Groups/{group['id']}")).status_code == 204
    assert await sees() == (0, 0, 404)


async def test_a_group_is_found_renamed_and_told_of(alice: Client, provider: Provider) -> None:
    """By names that no address could hold; a name is of one group; each change is one record."""
    user = await provider.user()
    group = await provider.group("R&D / Berlin", user["id"])
    assert await provider.names('displayName eq "r&d / berlin"', "Groups", "displayName") == ["R&D / Berlin"]
    both = f'id eq "{group["id"]}" and members eq "{user["id"]}"'
    assert await provider.names(both, "Groups", "displayName") == ["R&D / Berlin"]
    refused(
        await provider.http.post("/scim/v2/Groups", json={"displayName": "R&D / Berlin"}), 409, "uniqueness"
    )
    other = await provider.group("Sales")
    rename = {"op": "replace", "value": {"id": other["id"], "displayName": "R&D / Berlin"}}
    refused(await provider.patch(f"Groups/{other['id']}", rename), 409, "uniqueness")
    rename["value"] = {"id": other["id"], "displayName": "Vertrieb", "externalId": "G-1"}
    assert (await provider.patch(f"Groups/{other['id']}", rename)).status_code == 204
    (told,) = (await alice.get("/v1/audit", params={"action": "group.provisioned"})).json()["items"]
    assert told["detail"] == {"name": "Vertrieb", "joined": [], "left": []}
    assert (await provider.get(f"Users/{user['id']}"))["groups"][0]["display"] == "R&D / Berlin"


async def test_every_form_of_joining_and_leaving(provider: Provider) -> None:
    """What Entra ID, Okta and others send; in the end the same people are in."""
    a, b, c = [(await provider.user())["id"] for _ in range(3)]
    group = await provider.group("Service", a)
    place = f"Groups/{group['id']}"
    filters = [{"op": "remove", "path": f'members[value eq "{each}"]'} for each in (a, b)]
    steps: list[tuple[list[dict[str, Any]], set[str]]] = [
        ([{"op": "Add", "path": "members", "value": [{"value": b}, {"value": b}, {"value": a}]}], {a, b}),
        ([{"op": "Remove", "path": "members", "value": [{"$ref": None, "value": b}]}], {a}),
        ([{"op": "add", "value": {"members": [{"value": c, "display": "C"}]}}], {a, c}),
        ([{"op": "replace", "path": "members", "value": [{"value": b}]}], {b}),
        ([{"op": "replace", "value": {"schemas": [GROUP], "members": [{"value": a}, {"value": b}]}}], {a, b}),
        ([*filters, {"op": "add", "path": "members", "value": {"value": c, "type": "User"}}], {c}),
        ([{"op": "remove", "path": f'members[value eq "{c}" or value eq "{a}"]'}], set()),
        (
            [{"op": "add", "path": "members", "value": [{"value": a}]}, {"op": "remove", "path": "members"}],
            set(),
        ),
        (
            [{"op": "remove", "path": "members"}, {"op": "add", "path": "members", "value": [{"value": a}]}],
            {a},
        ),
        ([{"op": "remove", "path": f'members[value eq "{b}"]'}], {a}),
    ]
    for operations, inside in steps:
        changed = await provider.patch(place, *operations)
        assert changed.status_code == 204, changed.text
        assert members(await provider.get(place)) == inside
    whole = await provider.http.put(
        f"/scim/v2/{place}", json={"displayName": "Service", "members": [{"value": c}]}
    )
    assert members(whole.json()) == {c}
    shown = await provider.http.patch(
        f"/scim/v2/{place}", params={"attributes": "members"},
        json={"Operations": [{"op": "add", "path": "members", "value": [{"value": a}]}]},
    )  # fmt: skip
    assert members(shown.json()) == {a, c}


@pytest.mark.parametrize(
    "operation",
    [{"op": "add", "path": "members", "value": [{"value": "x", "type": "Group"}]},
     {"op": "add", "path": "members", "value": [{"display": "Bob"}]}, {"op": "add", "path": "members", "value": ["x"]},
     {"op": "add", "path": "members", "value": [{"value": "not-an-id"}]}, {"op": "move", "path": "members"},
     {"op": "remove", "path": "displayName"}, {"op": "replace", "value": {"id": "x", "displayName": "y"}},
     {"op": "replace", "path": "displayName", "value": ""}, {"op": "remove"}],
)  # fmt: skip
async def test_what_no_group_can_become_is_refused(provider: Provider, operation: dict[str, Any]) -> None:
    """With a sentence, and unchanged."""
    group = await provider.group("Service")
    answer = await provider.patch(f"Groups/{group['id']}", operation)
    refused(answer, 400, answer.json().get("scimType"))
    assert await provider.get(f"Groups/{group['id']}") == group


async def test_a_group_of_very_many_is_changed_and_not_listed(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them leaves without the others being read; a list that would be too long says how to ask for less."""
    users = [(await provider.user())["id"] for _ in range(3)]
    group = await provider.group("Everybody", *users)
    monkeypatch.setattr(groups, "MOST_MEMBERS", 2)
    place = f"Groups/{group['id']}"
    refused(await provider.http.get(f"/scim/v2/{place}"), 400, "tooMany")
    short = await provider.get(place, excludedAttributes="members")
    assert short["meta"]["version"] == group["meta"]["version"]
    leave = {"op": "remove", "path": f'members[value eq "{users[0]}"]'}
    assert (await provider.patch(place, leave)).status_code == 204
    assert members(await provider.get(place)) == set(users[1:])
