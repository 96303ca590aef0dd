"""/v1/members and /v1/groups: owner, colleague, stranger."""

from uuid import UUID, uuid4

import pytest
from api_scene import Client, MakeClient, problem

from knowlog.bootstrap import App
from knowlog.database import Scope
from knowlog.kernel.errors import Unauthenticated
from knowlog.tenants import member_principal

STRANGE = "0199e1b2-c3d4-7f0e-8a7b-6c5d4e3f2a1b"


async def added(client: Client, email: str, role: str = "reader") -> str:
    """Add a member; returns their id."""
    answer = await client.post("/v1/members", json={"email": email, "role": role})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["member_id"])


async def test_a_member_is_added_and_listed(alice: Client) -> None:
    """With the address in lower case, and the role that was given."""
    made = await alice.post("/v1/members", json={"email": "Bob@Example.com", "role": "editor"})
    assert (await alice.get(made.headers["location"])).json() == made.json()
    (listed,) = (await alice.get("/v1/members")).json()["items"]
    assert (listed["email"], listed["name"], listed["role"]) == ("bob@example.com", "bob", "editor")


async def test_an_address_is_a_member_once(alice: Client, charlie: Client) -> None:
    """In a tenant. The same person may be a member of another, which nobody can tell."""
    await added(alice, "bob@example.com")
    problem(await alice.post("/v1/members", json={"email": "BOB@example.com"}), 409, "conflict")
    await added(charlie, "bob@example.com")


@pytest.mark.parametrize(
    "email",
    ["bob", "bob@", "@example.com", "bob@example", "b ob@example.com", "bob@example.com\r\nBcc: x@example.com",
     "b\u212aob@example.com", "a" * 65 + "@example.com", "bob@" + "a." * 130 + "com", "<bob@example.com>"],
)  # fmt: skip
async def test_what_is_no_address_is_refused(alice: Client, email: str) -> None:
    """Nothing that could become another header, or another's address in lower case."""
    problem(await alice.post("/v1/members", json={"email": email}), 422, "invalid")
    assert (await alice.get("/v1/members")).json()["items"] == []


async def test_a_stranger_sees_and_changes_no_member(alice: Client, charlie: Client) -> None:
    """Members and groups of another tenant are absent."""
    bob = await added(alice, "bob@example.com")
    group = (await alice.post("/v1/groups", json={"name": "service"})).json()["group_id"]
    dora = await added(charlie, "dora@example.com")
    for path in (f"/v1/members/{bob}", f"/v1/groups/{group}", "/v1/groups/service"):
        absent = problem(await charlie.get(path), 404, "not-found")["detail"]
        assert absent == str(absent).replace(group, STRANGE).replace(STRANGE, group)
        problem(await charlie.delete(path), 404, "not-found")
        problem(await charlie.patch(path, json={"name": "mine"}), 404, "not-found")
    problem(await charlie.post(f"/v1/groups/{group}/members", json={"members": [dora]}), 404, "not-found")
    problem(await alice.post(f"/v1/groups/{group}/members", json={"members": [dora]}), 404, "not-found")
    assert "bob" not in (await charlie.get("/v1/members")).text
    assert (await charlie.get("/v1/groups")).json()["items"] == []


async def test_nobody_makes_or_changes_a_member_above_themselves(
    make_client: MakeClient, tenant: Scope, alice: Client
) -> None:
    """An admin manages admins, not owners."""
    admin = await make_client(tenant, "admin")
    owner = await added(alice, "olga@example.com", "owner")
    problem(
        await admin.post("/v1/members", json={"email": "x@example.com", "role": "owner"}), 403, "forbidden"
    )
    problem(await admin.patch(f"/v1/members/{owner}", json={"role": "reader"}), 403, "forbidden")
    problem(await admin.delete(f"/v1/members/{owner}"), 403, "forbidden")
    bob = await added(admin, "bob@example.com", "admin")
    problem(await admin.patch(f"/v1/members/{bob}", json={"role": "owner"}), 403, "forbidden")


async def test_a_limited_key_manages_no_members(
    make_client: MakeClient, tenant: Scope, alice: Client
) -> None:
    """Or it would make a member who may do more than itself."""
    handbook = (await alice.get("/v1/collections")).json()["items"][0]["collection_id"]
    limited = await make_client(tenant, "admin", [handbook])
    problem(await limited.post("/v1/members", json={"email": "x@example.com"}), 403, "forbidden")
    problem(await limited.get("/v1/members"), 403, "forbidden")
    problem(await limited.post("/v1/groups", json={"name": "x"}), 403, "forbidden")


async def test_a_colleague_sees_members_and_changes_none(alice: Client, bob: Client) -> None:
    """Who a document is shared with is known to all of the tenant."""
    carol = await added(alice, "carol@example.com")
    assert (await bob.get(f"/v1/members/{carol}")).status_code == 200
    problem(await bob.patch(f"/v1/members/{carol}", json={"role": "owner"}), 403, "forbidden")
    problem(await bob.post("/v1/groups", json={"name": "x"}), 403, "forbidden")


async def test_the_last_owner_stays(app: App, alice: Client, tenant: Scope) -> None:
    """Where no key owns the tenant, its last owner is neither removed nor lowered nor disabled."""
    olga = await added(alice, "olga@example.com", "owner")
    (key,) = [each for each in (await alice.get("/v1/keys")).json()["items"] if each["role"] == "owner"]
    assert (await alice.delete(f"/v1/keys/{key['key_id']}")).status_code == 200
    async with app.database.transaction(tenant) as connection:
        await connection.execute(
            "update api_keys set revoked_at = null, expires_at = now() + interval '1 hour'"
        )
    for change in ({"role": "admin"}, {"enabled": False}):
        problem(await alice.patch(f"/v1/members/{olga}", json=change), 409, "conflict")
    problem(await alice.delete(f"/v1/members/{olga}"), 409, "conflict")
    await added(alice, "otto@example.com", "owner")
    assert (await alice.delete(f"/v1/members/{olga}")).status_code == 200


async def test_a_members_groups_are_in_their_scope(app: App, alice: Client, tenant: Scope) -> None:
    """From the call after they join, until the one after they leave."""
    bob = await added(alice, "bob@example.com", "editor")
    group = (await alice.post("/v1/groups", json={"name": "service"})).json()["group_id"]
    joined = await alice.post("/v1/groups/service/members", json={"members": [bob, bob]})
    assert joined.json()["member_count"] == 1
    principal = await member_principal(app.database, tenant.tenant_id, UUID(bob))
    assert principal.scope.subjects == {UUID(bob), UUID(group)}
    assert (await alice.get("/v1/members", params={"group": "service"})).json()["items"][0]["groups"] == [
        group
    ]
    await alice.delete(f"/v1/groups/{group}/members/{bob}")
    assert (await member_principal(app.database, tenant.tenant_id, UUID(bob))).scope.subjects == {UUID(bob)}
    await alice.patch(f"/v1/members/{bob}", json={"role": "admin"})
    assert (await member_principal(app.database, tenant.tenant_id, UUID(bob))).scope.subjects is None


async def test_a_disabled_or_removed_member_is_nobody(app: App, alice: Client, tenant: Scope) -> None:
    """At once; enabled again, they are somebody with the same groups."""
    bob = await added(alice, "bob@example.com")
    await alice.post("/v1/groups", json={"name": "service"})
    await alice.post("/v1/groups/service/members", json={"members": [bob]})
    await alice.patch(f"/v1/members/{bob}", json={"enabled": False})
    with pytest.raises(Unauthenticated):
        await member_principal(app.database, tenant.tenant_id, UUID(bob))
    assert len((await alice.patch(f"/v1/members/{bob}", json={"enabled": True})).json()["groups"]) == 1
    await alice.delete(f"/v1/members/{bob}")
    with pytest.raises(Unauthenticated):
        await member_principal(app.database, tenant.tenant_id, UUID(bob))
    assert (await alice.get("/v1/groups/service")).json()["member_count"] == 0


async def test_groups_are_renamed_and_deleted(alice: Client) -> None:
    """A name is of one group; a deleted one leaves its members."""
    bob = await added(alice, "bob@example.com")
    await alice.post("/v1/groups", json={"name": "service"})
    problem(await alice.post("/v1/groups", json={"name": "service"}), 409, "conflict")
    problem(await alice.post("/v1/groups", json={"name": STRANGE}), 422, "invalid")
    await alice.post("/v1/groups/service/members", json={"members": [bob]})
    assert (await alice.patch("/v1/groups/service", json={"name": "support"})).json()["name"] == "support"
    assert (await alice.delete("/v1/groups/support")).status_code == 200
    assert (await alice.get(f"/v1/members/{bob}")).json()["groups"] == []


async def test_a_person_who_is_a_member_nowhere_is_forgotten(
    app: App, alice: Client, charlie: Client
) -> None:
    """With the last membership goes the address."""
    email = f"bob-{uuid4().hex}@example.com"
    here, there = await added(alice, email), await added(charlie, email)

    async def known() -> int:
        async with app.database.owner() as connection:
            await connection.execute("set role knowlog_definer")
            return int(
                await connection.fetchval("select count(*) from knowlog.people where email = $1", email)
            )

    await alice.delete(f"/v1/members/{here}")
    assert await known() == 1
    await charlie.delete(f"/v1/members/{there}")
    assert await known() == 0


async def test_members_are_listed_in_pages(alice: Client) -> None:
    """Each once, in the order in which they came."""
    ids = [await added(alice, f"m{number}@example.com") for number in range(5)]
    first = (await alice.get("/v1/members", params={"limit": 3})).json()
    rest = (await alice.get("/v1/members", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [each["member_id"] for each in first["items"] + rest["items"]] == ids
    assert rest["next_cursor"] is None
