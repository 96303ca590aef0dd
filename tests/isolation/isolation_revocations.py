"""Revocations: after each, the very next call on every surface knows of it."""

import asyncio
import secrets
from dataclasses import replace
from itertools import cycle

from isolation_oracle import Person, canary
from isolation_pairs import around_paper, everywhere, expect, held
from isolation_provisioning import provision
from isolation_scene import LEGAL, SALES, Paper, Scene


async def revoke_everything(scene: Scene) -> int:
    """Take back one of everything that can be granted, and try each surface at once. Returns the number of pairs."""
    alice = scene.of("north")[0]
    (paper,) = await scene.upload(alice, "handbook", frozenset({SALES}))
    pairs = await revoke_key(scene, alice, paper)
    pairs += await revoke_grants(scene, alice, paper, 10)
    pairs += await close_collection(scene, alice, paper)
    pairs += await revoke_people(scene, alice, paper)
    pairs += await provision(scene, paper)
    streams = await asyncio.gather(revoke_in_streams(scene, alice), revoke_heard_grant(scene, alice, paper))
    return pairs + sum(streams)


async def revoke_key(scene: Scene, owner: Person, paper: Paper) -> int:
    """A key is used everywhere, revoked, and refused everywhere."""
    guest = await scene.invite(owner, "guest", "reader", frozenset({SALES}))
    key_id = scene.things[owner.tenant]["key_id"]
    before = await everywhere(scene, guest, paper)
    expect(scene, "a fresh key", before, 200)
    await scene.world.good(owner, "DELETE", f"/v1/keys/{key_id}")
    scene.leave(guest)
    return held(scene, "key", await everywhere(scene, guest, paper), 401)


async def revoke_grants(scene: Scene, owner: Person, paper: Paper, times: int) -> int:
    """A paper is granted to sales and to legal in turns; whoever lost it does not find it with the next call."""
    pairs = 0
    bob, bella = (_named(scene, name) for name in ("bob", "bella"))
    for group in (group for group, _ in zip(cycle((LEGAL, SALES)), range(times), strict=False)):
        await scene.allow(owner, paper, frozenset({group}))
        loser, winner = (bob, bella) if group == LEGAL else (bella, bob)
        pairs += held(scene, "grant", await around_paper(scene, loser, paper), 404)
        seen = await scene.world.call(
            winner, "GET", f"/v1/documents/{paper.document_id}", surface="revocations"
        )
        if seen.status != 200:
            scene.world.tally.leak(f"{winner} was not granted {paper.document_id}: {seen.body!r}")
    await scene.allow(owner, paper, frozenset({SALES}))
    return pairs


async def close_collection(scene: Scene, owner: Person, paper: Paper) -> int:
    """A paper that inherits goes with its collection."""
    drawer = f"drawer-{secrets.token_hex(6)}"
    bob = _named(scene, "bob")
    await scene.world.good(owner, "POST", "/v1/collections", {"name": drawer})
    (inside,) = await scene.upload(owner, drawer)
    await scene.world.good(owner, "PUT", f"/v1/collections/{drawer}/access", {"subjects": [LEGAL]})
    inside.audience = frozenset({LEGAL})
    scene.admit(inside)
    pairs = held(scene, "collection", await around_paper(scene, bob, inside), 404)
    gone = await scene.world.call(bob, "GET", f"/v1/collections/{drawer}", surface="revocations")
    pairs += held(scene, "collection", [gone.status], 404)
    await scene.world.good(owner, "DELETE", f"/v1/collections/{drawer}")
    scene.forget(inside)
    return pairs


async def revoke_people(scene: Scene, owner: Person, paper: Paper) -> int:
    """Somebody in a session leaves a group, is disabled, and signs out: each holds for every surface at once."""
    world, tenant_id = scene.world, scene.things[owner.tenant]["tenant_id"]
    made = await world.good(owner, "POST", "/v1/members", {"email": f"{canary()}@example.com"})
    group = (await world.good(owner, "POST", "/v1/groups", {"name": canary()}))["group_id"]
    member, place = f"/v1/members/{made['member_id']}", f"/v1/groups/{group}/members"
    await world.good(owner, "POST", place, {"members": [made["member_id"]]})
    inside = Person(
        f"member-{group}", owner.tenant, await world.session(tenant_id, made["member_id"]), frozenset({group})
    )
    scene.enter(inside)
    await scene.allow(owner, paper, frozenset({SALES, group}))
    expect(scene, "a member", await everywhere(scene, inside, paper), 200)
    await world.good(owner, "DELETE", f"{place}/{made['member_id']}")
    scene.enter(replace(inside, groups=frozenset()))
    pairs = held(scene, "group", await around_paper(scene, inside, paper), 404)
    await world.good(owner, "PATCH", member, {"enabled": False})
    pairs += held(scene, "membership", await everywhere(scene, inside, paper), 401)
    await world.good(owner, "PATCH", member, {"enabled": True})
    back = replace(inside, secret=await world.session(tenant_id, made["member_id"]), groups=frozenset())
    await world.good(back, "DELETE", "/v1/sessions/current")
    pairs += held(scene, "session", await everywhere(scene, back, paper), 401)
    scene.leave(inside)
    await scene.allow(owner, paper, frozenset({SALES}))
    return pairs


async def revoke_in_commands(scene: Scene) -> int:
    """A key is revoked, and the command line opens nothing with it any more."""
    owner = scene.of("north")[0]
    (paper,) = await scene.upload(owner, "handbook", frozenset({SALES}))
    guest = await scene.invite(owner, "guest", "reader", frozenset({SALES}))
    words = ("documents", "show", paper.document_id, "--json")
    expect(scene, "a command", [(await scene.world.command(guest, *words)).status], 200)
    await scene.world.good(owner, "DELETE", f"/v1/keys/{scene.things[owner.tenant]['key_id']}")
    scene.leave(guest)
    return held(scene, "key", [(await scene.world.command(guest, *words)).status], 400)


async def revoke_heard_grant(scene: Scene, owner: Person, paper: Paper) -> int:
    """An open stream of the log tells nothing of a paper any more once its grant is taken back."""
    bob, place = _named(scene, "bob"), f"/v1/documents/{paper.document_id}"
    async with scene.world.ear(bob) as ear, scene.world.ear(owner) as own:
        await scene.allow(owner, paper, frozenset({LEGAL}))
        told = len(own.heard)
        await scene.world.good(owner, "PATCH", place, {"title": f"About {paper.marks[0]} now"})
        expect(
            scene,
            "the stream of the owner",
            [200 if await own.until(paper.document_id.encode(), told) else 404],
        )
        await ear.beats()
    if paper.document_id.encode() in ear.heard:
        scene.world.tally.leak(f"the stream of {bob} goes on telling of {paper.document_id}: {ear.heard!r}")
    await scene.allow(owner, paper, frozenset({SALES}))
    return 1


async def revoke_in_streams(scene: Scene, owner: Person) -> int:
    """The streams of a key that was revoked tell nothing of what comes afterwards, and end."""
    guest = await scene.key(owner, "guest", "reader", frozenset({SALES}))
    async with scene.world.ear(guest) as ear:
        await scene.world.good(owner, "DELETE", f"/v1/keys/{scene.things[owner.tenant]['key_id']}")
        await scene.upload(owner, "handbook", frozenset({SALES}))
        ended = await ear.until(b"unauthenticated")
    if not ended:
        scene.world.tally.leak(f"the stream of a revoked key goes on: {ear.heard!r}")
    return 1


def _named(scene: Scene, name: str) -> Person:
    return next(each for full, each in scene.people.items() if full.partition("-")[0] == name)
