"""What an identity provider, or who stole its key, cannot do."""

import asyncio
from uuid import uuid4

import httpx
import pytest
from api_scene import Client, MakeClient, problem
from fastapi import FastAPI
from people_scene import PASSWORD, People, new_email
from provisioning_scene import STRANGE, USER, Provider, refused

from knowlog.api.application import ROUTERS
from knowlog.bootstrap import App
from knowlog.database import Scope
from knowlog.edge import Caller, ScopedRoute
from knowlog.tenants import find_member

FOREIGN = [
    route
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, ScopedRoute)
    and isinstance(route.demand, Caller)
    and not route.path.startswith("/scim/")
]
CHANGES = (
    {"op": "replace", "path": "password", "value": "another battery staple horse"},
    {"op": "replace", "value": {"password": "another battery staple horse", "displayName": "Mallory"}},
    {"op": "replace", "path": "name.formatted", "value": "Mallory"},
    {"op": "replace", "path": 'emails[type eq "work"].value', "value": "mallory@example.com"},
    {"op": "replace", "path": "userName", "value": "mallory@example.com"},
    {"op": "replace", "path": "active", "value": False},
)


async def test_a_person_of_two_tenants_is_changed_in_one(
    alice: Client, charlie: Client, strange: Provider, people: People, tenant: Scope, other_tenant: Scope
) -> None:
    """Charlie's provider renames, readdresses, suspends and deletes Bob, and sends a password: in Alice's tenant he is
    who he was, signs in with his address and his password, and his session goes on.
    """
    address = new_email("bob")
    await people.joined(alice, tenant, address)
    at_work, _ = await people.signed_in(address, tenant_id=str(tenant.tenant_id))
    before = (await alice.get("/v1/members")).json()["items"]
    user = await strange.user(userName=address, emails=[{"value": address, "type": "work", "primary": True}])
    for change in CHANGES:
        assert (await strange.patch(f"Users/{user['id']}", change)).status_code == 204
    renamed = {"schemas": [USER], "userName": "m2@example.com", "password": "x" * 20, "active": True}
    assert (await strange.http.put(f"/scim/v2/Users/{user['id']}", json=renamed)).status_code == 200
    assert (await strange.http.delete(f"/scim/v2/Users/{user['id']}")).status_code == 204
    after = (await alice.get("/v1/members")).json()["items"]
    assert [{**each, "last_seen_at": None} for each in after] == [
        {**each, "last_seen_at": None} for each in before
    ]
    assert (await at_work.get("/v1/collections")).status_code == 200
    again, _ = await people.signed_in(address)
    assert (await again.get("/v1/collections")).status_code == 200


async def test_another_address_passes_the_membership_on_and_opens_no_other(
    app: App,
    alice: Client,
    charlie: Client,
    strange: Provider,
    people: People,
    tenant: Scope,
    other_tenant: Scope,
) -> None:
    """Whoever gives a user Bob's address makes Bob a member there: he keeps his own password, and they learn nothing."""
    address = new_email("bob")
    await people.joined(alice, tenant, address)
    user = await strange.user("mallory")
    change = {"op": "replace", "path": "emails", "value": [{"value": address, "primary": True}]}
    assert (await strange.patch(f"Users/{user['id']}", change)).status_code == 204
    async with app.database.transaction(other_tenant) as connection:
        moved = await find_member(connection, address)
    assert moved is not None
    assert str(moved.member_id) == user["id"]
    _, answer = await people.signed_in(address, tenant_id=str(tenant.tenant_id))
    assert answer["access_token"]


async def test_ids_of_another_tenant_are_absent(provider: Provider, strange: Provider) -> None:
    """For every verb, in the words and headers for an id that nobody has; and nothing is changed."""
    user, group = await provider.user(), await provider.group("Service")
    for kind, found in (("Users", user["id"]), ("Groups", group["id"])):
        answers = []
        for named in (found, STRANGE):
            place = f"/scim/v2/{kind}/{named}"
            body = {"schemas": [user["schemas"][0]], "userName": "x@example.com", "displayName": "x"}
            change = {"op": "replace", "path": "displayName", "value": "x"}
            told = [
                await strange.http.get(place),
                await strange.http.put(place, json=body),
                await strange.patch(f"{kind}/{named}", change),
                await strange.http.delete(place),
            ]
            answers.append([refused(each, 404).replace(named, "ID") for each in told])
        assert answers[0] == answers[1]
    assert await strange.names(f'id eq "{user["id"]}"') == []
    assert await strange.names(f'userName eq "{user["userName"]}"') == []
    assert await strange.names(f'members eq "{user["id"]}"', "Groups", "displayName") == []
    assert await provider.get(f"Users/{user['id']}") == user


async def test_a_user_of_another_tenant_joins_no_group(provider: Provider, strange: Provider) -> None:
    """And is refused in the words for a user whom nobody has."""
    user, group = await provider.user(), await strange.group("Service")
    told = []
    for named in (user["id"], STRANGE):
        add = {"op": "add", "path": "members", "value": [{"value": named}]}
        answer = await strange.patch(f"Groups/{group['id']}", add)
        told.append(refused(answer, 400, "invalidValue").replace(named, "ID"))
        body = {"displayName": "Other", "members": [{"value": named}]}
        answer = await strange.http.post("/scim/v2/Groups", json=body)
        told.append(refused(answer, 400, "invalidValue").replace(named, "ID"))
    assert told[:2] == told[2:]
    assert await strange.names("displayName pr", "Groups", "displayName") == ["Service"]


async def test_the_key_opens_nothing_else(provider: Provider) -> None:
    """Every other route of the product that a key can call refuses it: no document, no member, no key, no event."""
    assert len(FOREIGN) > 90
    for route in FOREIGN:
        address = route.path
        for name in route.param_convertors:
            address = address.replace(f"{{{name}:uuid}}", STRANGE).replace(f"{{{name}}}", STRANGE)
        method = min(route.methods)
        answer = await provider.http.request(method, address, json={})
        assert answer.status_code == 403
        if method != "HEAD":
            problem(answer, 403, "forbidden")


@pytest.mark.parametrize("role", ["reader", "editor", "admin"])
async def test_other_keys_do_not_provision(make_client: MakeClient, tenant: Scope, role: str) -> None:
    """An owner's does; one without a key is told so in the protocol's form."""
    client = await make_client(tenant, role)
    refused(await client.get("/scim/v2/Users"), 403)
    refused(await client.post("/scim/v2/Groups", json={"displayName": "x"}), 403)
    refused(await client.get("/scim/v2/Schemas"), 403)


async def test_an_owner_provisions_and_a_limited_one_does_not(
    make_client: MakeClient, tenant: Scope, alice: Client
) -> None:
    """Members and groups are the whole tenant's."""
    assert (await alice.get("/scim/v2/Users")).status_code == 200
    handbook = (await alice.get("/v1/collections")).json()["items"][0]["collection_id"]
    refused(await (await make_client(tenant, "owner", [handbook])).get("/scim/v2/Users"), 403)


async def test_only_owners_make_and_revoke_such_keys(
    make_client: MakeClient, tenant: Scope, alice: Client
) -> None:
    """An admin who could would make members of anybody; and the key is for nothing else."""
    admin = await make_client(tenant, "admin")
    wanted = {"name": "directory", "role": "provisioner"}
    problem(await admin.post("/v1/keys", json=wanted), 403, "forbidden")
    made = (await alice.post("/v1/keys", json=wanted)).json()["key"]
    problem(await admin.delete(f"/v1/keys/{made['key_id']}"), 403, "forbidden")
    problem(await alice.post("/v1/keys", json={**wanted, "collections": ["handbook"]}), 422, "invalid")
    assert (await alice.delete(f"/v1/keys/{made['key_id']}")).status_code == 200


async def test_nobody_is_made_more_than_a_reader(alice: Client, provider: Provider) -> None:
    """Roles that are sent are not heard; those that are there are not given to another address, and not let in again."""
    user = await provider.user(roles=[{"value": "owner"}], userType="owner")
    assert user["roles"] == [{"value": "reader"}]
    place = f"Users/{user['id']}"
    change = {"op": "replace", "path": "roles", "value": [{"value": "owner"}]}
    refused(await provider.patch(place, change), 400, "mutability")
    await alice.patch(f"/v1/members/{user['id']}", json={"role": "admin"})
    stolen = {"op": "replace", "value": {"emails": [{"value": "mallory@example.com", "primary": True}]}}
    refused(await provider.patch(place, stolen), 403)
    off, on = ({"op": "replace", "path": "active", "value": value} for value in (False, True))
    assert (await provider.patch(place, off, stolen)).status_code == 204
    refused(await provider.patch(place, on), 403)
    (member,) = (await alice.get("/v1/members")).json()["items"]
    assert (member["email"], member["role"], member["disabled_at"] is None) == (
        user["userName"],
        "admin",
        False,
    )


async def test_the_last_owner_is_not_locked_out(
    app: App, alice: Client, provider: Provider, tenant: Scope
) -> None:
    """Neither suspended nor deleted, by any form of a request; another owner may be."""
    olga = await provider.user("olga")
    await alice.patch(f"/v1/members/{olga['id']}", json={"role": "owner"})
    async with app.database.transaction(tenant) as connection:
        await connection.execute(
            "update api_keys set expires_at = now() + interval '1 hour' where role = 'owner'"
        )
    place = f"Users/{olga['id']}"
    refused(await provider.patch(place, {"op": "replace", "value": {"active": False}}), 409)
    body = {"userName": olga["userName"], "active": False}
    refused(await provider.http.put(f"/scim/v2/{place}", json=body), 409)
    refused(await provider.http.delete(f"/scim/v2/{place}"), 409)
    otto = await provider.user("otto")
    await alice.patch(f"/v1/members/{otto['id']}", json={"role": "owner"})
    assert (await provider.http.delete(f"/scim/v2/{place}")).status_code == 204


async def test_who_leaves_is_out_at_once(
    address: str, alice: Client, provider: Provider, people: People, tenant: Scope
) -> None:
    """Suspended: the session ends with the next call, the open stream by itself, and a link that waits lets nobody in."""
    email = new_email("bob")
    member = await people.joined(alice, tenant, email)
    bob, _ = await people.signed_in(email)
    async with (
        httpx.AsyncClient(headers=bob.headers, timeout=20, trust_env=False) as http,
        http.stream("GET", f"{address}/v1/events/stream") as stream,
    ):
        assert stream.status_code == 200
        off = {"op": "Replace", "path": "active", "value": "False"}
        assert (await provider.patch(f"Users/{member['member_id']}", off)).status_code == 204
        async with asyncio.timeout(10):
            async for _ in stream.aiter_lines():
                pass
    problem(await bob.get("/v1/collections"), 401, "unauthenticated")
    assert (await provider.get(f"Users/{member['member_id']}"))["active"] is False


async def test_who_is_deleted_does_not_come_back_by_an_old_link(
    alice: Client, provider: Provider, people: People, tenant: Scope
) -> None:
    """An invitation that waited all the while is withdrawn."""
    email = new_email("bob")
    link = await people.invited(alice, tenant, email)
    user = await provider.user(userName=email, emails=[{"value": email}])
    assert (await provider.http.delete(f"/scim/v2/Users/{user['id']}")).status_code == 204
    accepted = await people.browser().post(
        "/v1/invitations:accept", json={"token": link, "password": PASSWORD}
    )
    problem(accepted, 404, "not-found")


@pytest.mark.parametrize(
    "expression",
    ["userName eq \"' or true --\"", 'userName eq "\\" or userName pr or userName eq \\""', "userName eq \"%\"",
     'displayName co "\'; drop table members; --"', 'emails[value eq "\') or true --"]'],
)  # fmt: skip
async def test_a_filter_cannot_become_code(provider: Provider, expression: str) -> None:
    """What is compared is an argument of the statement, whatever it looks like."""
    await provider.user()
    assert await provider.names(expression) == []


async def test_what_is_refused_changes_nothing(alice: Client, provider: Provider) -> None:
    """A PATCH whose last operation is refused leaves the first undone; so does a group whose second member is nobody."""
    user, group = await provider.user(), await provider.group("Service")
    first = {"op": "replace", "path": "displayName", "value": "Mallory"}
    wrong = {"op": "replace", "path": "active", "value": "perhaps"}
    refused(await provider.patch(f"Users/{user['id']}", first, wrong), 400, "invalidValue")
    assert await provider.get(f"Users/{user['id']}") == user
    both = {"op": "add", "path": "members", "value": [{"value": user["id"]}, {"value": str(uuid4())}]}
    refused(await provider.patch(f"Groups/{group['id']}", first, both), 400, "invalidValue")
    assert await provider.get(f"Groups/{group['id']}") == group


async def test_too_much_is_refused_in_its_form(api: FastAPI, provider: Provider) -> None:
    """Bodies, filters, operations and pages have bounds; a refusal of the gate reads like any other."""
    refused(await provider.http.post("/scim/v2/Users", content=b"x" * (1024 * 1024 + 1)), 413)
    refused(await provider.http.get("/scim/v2/Users", params={"filter": "(" * 2000}), 400, "invalidFilter")
    long = " or ".join(['userName eq "a"'] * 300)
    refused(await provider.http.post("/scim/v2/Users/.search", json={"filter": long}), 400, "invalidFilter")
    user = await provider.user()
    many = [{"op": "replace", "path": "displayName", "value": "x"}] * 1001
    refused(await provider.patch(f"Users/{user['id']}", *many), 400, "invalidValue")
    assert (await provider.get("Users", count=100_000))["itemsPerPage"] == 1
    refused(await provider.http.post("/scim/v2/Bulk", json={"Operations": []}), 501)
    refused(await provider.http.get("/scim/v2/Me"), 501)
    refused(await provider.http.get("/scim/v2/Nothing"), 404)
    allowed = await provider.http.delete("/scim/v2/Users")
    refused(allowed, 405)
    assert allowed.headers["allow"] == "GET, POST"
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=api), base_url="http://knowlog.test"
    ) as nobody:
        unknown = await nobody.get("/scim/v2/Users")
    refused(unknown, 401)
    assert unknown.headers["www-authenticate"] == "Bearer"
