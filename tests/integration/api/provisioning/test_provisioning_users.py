"""/scim/v2/Users: what identity providers do all day."""

import pytest
from api_scene import Client
from provisioning_scene import USER, Provider, refused

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


async def test_a_user_is_a_member_and_told_of_in_the_audit_log(alice: Client, provider: Provider) -> None:
    """With an address, a name, the role reader and the provider's own id."""
    user = await provider.user(externalId="E-1", name={"givenName": "Bob", "familyName": "Hale"})
    assert user["meta"]["location"].endswith(f"/scim/v2/Users/{user['id']}")
    member = (await alice.get(f"/v1/members/{user['id']}")).json()
    assert (member["email"], member["name"], member["role"]) == (user["userName"], "Bob Hale", "reader")
    assert member["provisioned_at"] is not None
    (told,) = (await alice.get("/v1/audit", params={"action": "member.added"})).json()["items"]
    assert told["subject"] == f"member:{user['id']}"
    assert await provider.names('externalId eq "E-1"') == [user["userName"]]
    assert await provider.get(f"Users/{user['id']}") == user


async def test_a_member_of_before_is_a_user_and_can_be_taken_over(alice: Client, provider: Provider) -> None:
    """A provider finds them by their address, and is told that making them again clashes."""
    made = await alice.post(
        "/v1/members", json={"email": "carol@example.com", "name": "Carol", "role": "editor"}
    )
    (found,) = (await provider.get("Users", filter='userName eq "Carol@Example.com"'))["Resources"]
    assert (found["id"], found["displayName"], found["active"]) == (made.json()["member_id"], "Carol", True)
    again = await provider.http.post("/scim/v2/Users", json={"userName": "CAROL@example.com"})
    refused(again, 409, "uniqueness")
    change = {"op": "add", "value": {"externalId": "E-2", "userName": "carol.reyes"}}
    assert (await provider.patch(f"Users/{found['id']}", change)).status_code == 204
    member = (await alice.get(f"/v1/members/{found['id']}")).json()
    assert (member["email"], member["role"], member["name"]) == ("carol@example.com", "editor", "Carol")


@pytest.mark.parametrize(
    ("name", "addresses", "kept"),
    [
        ("b1@corp.local", [], "b1@corp.local"),
        ("EMEA\\b2", [{"value": "b2@example.com"}], "b2@example.com"),
        ("b3", [{"value": "x3@example.com"}, {"value": "b3@example.com", "type": "work"}], "b3@example.com"),
        ("b4", [{"value": "x4@example.com"}, {"value": "B4@Example.com", "primary": True}], "b4@example.com"),
    ],
)  # fmt: skip
async def test_where_a_user_signs_in(
    alice: Client, provider: Provider, name: str, addresses: list[dict[str, str]], kept: str
) -> None:
    """The primary address, else one for work, else any, else the userName."""
    user = await provider.user(userName=name, emails=addresses)
    assert (await alice.get(f"/v1/members/{user['id']}")).json()["email"] == kept
    assert user["userName"] == name


@pytest.mark.parametrize(
    "body",
    [{"userName": "bob"}, {"userName": ""}, {"emails": [{"value": "bob@example.com"}]},
     {"userName": "b", "emails": [{"value": "no address"}]}, {"userName": "b" * 300 + "@example.com"},
     {"userName": "b@example.com", "active": "perhaps"}, {"userName": "b@example.com", "displayName": "a\nb"},
     {"userName": "b\x00@example.com"}, {"userName": "b", "emails": [{"value": f"b{n}@example.com"} for n in range(21)]},
     [], "x"],
)  # fmt: skip
async def test_what_is_no_user_is_refused(provider: Provider, body: object) -> None:
    """With a sentence, and the protocol's word for it."""
    answer = await provider.http.post("/scim/v2/Users", json=body)
    assert refused(answer, 400, answer.json().get("scimType"))
    assert (await provider.get("Users"))["totalResults"] == 0


async def test_what_cannot_be_read_is_refused(provider: Provider) -> None:
    """Broken JSON, and another kind of body."""
    refused(await provider.http.post("/scim/v2/Users", content=b'{"userName": '), 400, "invalidSyntax")
    form = {"content-type": "application/xml"}
    refused(await provider.http.post("/scim/v2/Users", content=b"<a/>", headers=form), 415)
    refused(await provider.http.get("/scim/v2/Users", params={"filter": "userName eq"}), 400, "invalidFilter")
    refused(await provider.http.get("/scim/v2/Users", params={"count": "many"}), 400, "invalidValue")


async def test_pages_begin_at_one(provider: Provider) -> None:
    """In the order in which users came; a page beyond the end is empty, a count of none counts."""
    names = [(await provider.user())["userName"] for _ in range(3)]
    first = await provider.get("Users", count=2)
    rest = await provider.get("Users", startIndex=3, count=2)
    assert [each["userName"] for each in first["Resources"] + rest["Resources"]] == names
    assert (first["totalResults"], first["itemsPerPage"], rest["startIndex"]) == (3, 2, 3)
    none = await provider.get("Users", count=0)
    assert (none["totalResults"], none.get("Resources", [])) == (3, [])
    assert (await provider.get("Users", startIndex=99))["itemsPerPage"] == 0


async def test_an_answer_holds_what_is_asked_for(provider: Provider) -> None:
    """`attributes` and `excludedAttributes`, of one and of many."""
    user = await provider.user(name={"givenName": "Bob"})
    assert set(await provider.get(f"Users/{user['id']}", attributes="userName")) == {
        "schemas",
        "id",
        "userName",
    }
    (listed,) = (await provider.get("Users", excludedAttributes="emails,name.givenName"))["Resources"]
    assert "emails" not in listed
    assert "name" not in listed


async def test_a_change_that_builds_on_another_state_is_refused(provider: Provider) -> None:
    """ETag, If-Match and If-None-Match; what changes nothing is not told in the audit log, and keeps the tag."""
    user = await provider.user()
    place, tag = f"Users/{user['id']}", user["meta"]["version"]
    rename = {"op": "replace", "path": "displayName", "value": "Bob"}
    assert (await provider.http.get(f"/scim/v2/{place}", headers={"If-None-Match": tag})).status_code == 304
    done = await provider.patch(place, rename, **{"If-Match": tag})
    assert done.headers["etag"] != tag
    refused(await provider.patch(place, rename, **{"If-Match": tag}), 412)
    refused(await provider.http.delete(f"/scim/v2/{place}", headers={"If-Match": tag}), 412)
    assert (await provider.patch(place, rename)).headers["etag"] == done.headers["etag"]


async def test_entra_id(alice: Client, provider: Provider) -> None:
    """Capital operations, booleans as text, paths into what is not there yet, an extension that is not kept."""
    schemas = [USER, ENTERPRISE]
    user = await provider.user(
        schemas=schemas, displayName="Bob H.", **{ENTERPRISE: {"department": "Service"}}
    )
    place = f"Users/{user['id']}"
    changed = await provider.patch(
        place,
        {"op": "Add", "path": 'emails[type eq "work"].value', "value": "bob.hale@example.com"},
        {"op": "Replace", "path": 'emails[type eq "home"].value', "value": "bob@home.example.com"},
        {"op": "Replace", "path": "name.givenName", "value": "Bob"},
        {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": "0199"},
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Add", "value": {"name.familyName": "Hale", f"{ENTERPRISE}:department": "Sales"}},
    )
    assert changed.status_code == 204, changed.text
    found = await provider.get(place)
    assert (found["active"], found["name"]) == (False, {"givenName": "Bob", "familyName": "Hale"})
    assert {each.get("type"): each["value"] for each in found["emails"]}["work"] == "bob.hale@example.com"
    assert (await alice.get(f"/v1/members/{user['id']}")).json()["disabled_at"] is not None
    on = {"op": "Replace", "path": "active", "value": "True"}
    assert (await provider.patch(place, on)).status_code == 204
    assert (await provider.http.delete(f"/scim/v2/{place}")).status_code == 204
    refused(await provider.http.get(f"/scim/v2/{place}"), 404)


async def test_okta(alice: Client, provider: Provider) -> None:
    """A password with the user, a whole user by PUT, a path-less PATCH that names the id."""
    user = await provider.user(
        password="t1meMa$heen",
        groups=[],
        locale="en-US",
        displayName="Bob Hale",
        active=True,
        externalId="00u1",
    )
    assert "password" not in user
    place = f"/scim/v2/Users/{user['id']}"
    whole = {**user, "name": {"givenName": "Robert", "familyName": "Hale"}, "active": False}
    replaced = await provider.http.put(place, json=whole)
    assert replaced.status_code == 200, replaced.text
    assert (replaced.json()["active"], replaced.json()["name"]["givenName"]) == (False, "Robert")
    change = {"op": "replace", "value": {"id": user["id"], "active": True}}
    assert (await provider.patch(f"Users/{user['id']}", change)).status_code == 204
    assert (await alice.get(f"/v1/members/{user['id']}")).json()["disabled_at"] is None


async def test_who_is_renamed_keeps_their_groups_and_signs_in_by_the_new_address(
    alice: Client, provider: Provider
) -> None:
    """Another address is another person: the sessions of before are over, the membership is the same."""
    user = await provider.user()
    group = await provider.group("Service", user["id"])
    change = {
        "op": "replace",
        "value": {"userName": "b.new", "emails": [{"value": "b.new@example.com", "primary": True}]},
    }
    assert (await provider.patch(f"Users/{user['id']}", change)).status_code == 204
    member = (await alice.get(f"/v1/members/{user['id']}")).json()
    assert (member["email"], member["groups"]) == ("b.new@example.com", [group["id"]])
    assert await provider.names('userName eq "B.NEW"') == ["b.new"]
    clash = {"op": "replace", "path": "emails", "value": [{"value": "b.new@example.com"}]}
    other = await provider.user("other")
    refused(await provider.patch(f"Users/{other['id']}", clash), 409, "uniqueness")
    name = {"op": "replace", "path": "userName", "value": "B.New"}
    refused(await provider.patch(f"Users/{other['id']}", name), 409, "uniqueness")
