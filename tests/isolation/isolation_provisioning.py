"""Identity providers that keep members and groups (SCIM): what they say holds with the next call, in their own tenant."""

from dataclasses import replace
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import isolation_attacks as attacks
from isolation_oracle import Got, Person, canary
from isolation_pairs import around_paper, everywhere, expect, held
from isolation_scene import Paper, Scene, provisioner

_URN = "urn:ietf:params:scim"
USERS, GROUPS = (
    [each for each in attacks.FORGEABLE if each[1] == f"/scim/v2/{kind}/{{id}}"]
    for kind in ("Users", "Groups")
)
_ELSEWHERE = (
    ("GET", "/v1/documents"), ("GET", "/v1/members"), ("GET", "/v1/keys"), ("GET", "/v1/export"),
    ("GET", "/v1/events/stream"), ("POST", "/v1/search"), ("POST", "/v1/answers"),
)  # fmt: skip


async def provisioner_of(scene: Scene, tenant: str) -> Person:
    """The identity provider of a tenant, which has brought a user and a group that stay."""
    if tenant not in scene.provisioners:
        key, things = await scene.key(scene.of(tenant)[0], "provider", "provisioner"), scene.things[tenant]
        provider = scene.provisioners[tenant] = replace(key, name=provisioner(tenant))
        things["user_name"], things["user_id"] = await _bring_user(scene, provider)
        things["provisioned_group"] = await _bring_group(scene, provider, things["user_id"])
    return scene.provisioners[tenant]


async def _bring_user(scene: Scene, provider: Person) -> tuple[str, str]:
    """Make a user. Returns name and id."""
    name = canary()
    scene.world.oracle.allow(name, scene.admins(provider.tenant))
    body = {
        "schemas": [f"{_URN}:schemas:core:2.0:User"],
        "userName": f"{name}@example.com",
        "displayName": name,
    }
    user = await scene.world.good(provider, "POST", "/scim/v2/Users", body, surface="provisioning")
    scene.world.oracle.allow(name, [*scene.admins(provider.tenant), f"member-{user['id']}"])
    return name, user["id"]


async def _bring_group(scene: Scene, provider: Person, user_id: str) -> str:
    name = canary()
    scene.world.oracle.allow(name, scene.admins(provider.tenant))
    body = {
        "schemas": [f"{_URN}:schemas:core:2.0:Group"],
        "displayName": name,
        "members": [{"value": user_id}],
    }
    made = await scene.world.good(provider, "POST", "/scim/v2/Groups", body, surface="provisioning")
    return str(made["id"])


async def _patch(scene: Scene, who: Person, place: str, operation: dict[str, Any]) -> Got:
    body = {"schemas": [f"{_URN}:api:messages:2.0:PatchOp"], "Operations": [operation]}
    return await scene.world.call(who, "PATCH", f"/scim/v2/{place}", body, surface="provisioning")


async def provision(scene: Scene, paper: Paper) -> int:
    """Somebody is brought by the identity provider, leaves a group, is deactivated, and goes: each holds for every
    surface with the next call. Returns the number of pairs.
    """
    world, owner = scene.world, scene.of(paper.tenant)[0]
    provider, before = await provisioner_of(scene, paper.tenant), paper.audience
    _, user = await _bring_user(scene, provider)
    group = await _bring_group(scene, provider, user)
    inside = await scene.member(paper.tenant, user, frozenset({group}))
    await scene.allow(owner, paper, (before or frozenset()) | {group})
    expect(scene, "a user", await everywhere(scene, inside, paper))
    leave = {"op": "remove", "path": f'members[value eq "{user}"]'}
    expect(
        scene,
        "the identity provider",
        [(await _patch(scene, provider, f"Groups/{group}", leave)).status],
        204,
    )
    scene.enter(replace(inside, groups=frozenset()))
    pairs = held(scene, "provisioned group", await around_paper(scene, inside, paper), 404)
    for active in (False, True):  # who is let in again has no session any more
        switch = {"op": "replace", "path": "active", "value": active}
        expect(
            scene,
            "the identity provider",
            [(await _patch(scene, provider, f"Users/{user}", switch)).status],
            204,
        )
        pairs += held(scene, "user", await everywhere(scene, inside, paper), 401)
    back = await scene.member(paper.tenant, user, frozenset())
    await world.good(provider, "DELETE", f"/scim/v2/Users/{user}", surface="provisioning")
    pairs += held(scene, "deleted user", await everywhere(scene, back, paper), 401)
    scene.leave(back)
    await scene.allow(owner, paper, before)
    return pairs


async def forge_users(scene: Scene, tenant: str, victim: str) -> None:
    """The identity provider of a tenant, and its owner, ask for another tenant's users and groups, by every verb and by
    their names: all is as if there were none, and stays as it was.
    """
    thieves = [await provisioner_of(scene, tenant), scene.of(tenant)[0]]
    provider, things = await provisioner_of(scene, victim), scene.things[victim]
    places = [f"/scim/v2/Users/{things['user_id']}", f"/scim/v2/Groups/{things['provisioned_group']}"]
    before = [
        (await scene.world.call(provider, "GET", each, surface="provisioning")).words() for each in places
    ]
    for thief in thieves:
        await attacks.forge(scene, thief, USERS, {"id": things["user_id"], "document_id": ""})
        await attacks.forge(scene, thief, GROUPS, {"id": things["provisioned_group"], "document_id": ""})
        await _look_for(scene, thief, things)
        await _take_in(scene, thief, things["user_id"])
    after = [
        (await scene.world.call(provider, "GET", each, surface="provisioning")).words() for each in places
    ]
    if before != after:
        scene.world.tally.leak(f"{thieves} changed {before} of {victim} to {after}")


async def _look_for(scene: Scene, thief: Person, things: dict[str, str]) -> None:
    """Filters find nothing of others; lists hold nothing of them."""
    for kind, sought in (
        ("Users", f'userName sw "{things["user_name"]}"'),
        ("Users", f'id eq "{things["user_id"]}"'),
        ("Users", f'groups.value eq "{things["provisioned_group"]}"'),
        ("Groups", f'members.value eq "{things["user_id"]}"'),
    ):
        got = await scene.world.call(
            thief, "GET", f"/scim/v2/{kind}?filter={quote(sought)}", surface="provisioning"
        )
        if got.status != 200 or got.json()["totalResults"]:
            scene.world.tally.leak(f"{thief} finds by {sought}: {got.body!r}")
        await scene.world.good(thief, "GET", f"/scim/v2/{kind}?count=200", surface="provisioning")


async def _take_in(scene: Scene, thief: Person, user_id: str) -> None:
    """Others' users join no group, and are refused in the words for a user whom nobody has."""
    told = []
    for named in (user_id, str(uuid4())):
        join = {"op": "add", "path": "members", "value": [{"value": named}]}
        place = f"Groups/{scene.things[thief.tenant]['provisioned_group']}"
        told.append((await _patch(scene, thief, place, join), {"id": named}))
    attacks.same_words(scene, thief, "PATCH Groups", *told)
    if told[0][0].status < 400:
        scene.world.tally.leak(f"{thief} takes a user of others in: {told[0][0].body!r}")


async def stray(scene: Scene, tenant: str) -> None:
    """The key of an identity provider opens nothing but provisioning; a reader's opens no provisioning."""
    provider = await provisioner_of(scene, tenant)
    asked = {"question": "price"}
    got = [
        await scene.world.call(
            provider, method, path, asked if method == "POST" else None, surface="provisioning"
        )
        for method, path in _ELSEWHERE
    ]
    reader = scene.of(tenant)[-1]
    got += [await scene.world.call(reader, "GET", f"/scim/v2/{each}") for each in ("Users", "Groups")]
    if any(each.status != 403 for each in got):
        scene.world.tally.leak(f"{provider} and {reader} stray: {[each.status for each in got]}")
