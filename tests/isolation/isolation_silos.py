"""Tenants that move to a database of their own and back, while everybody goes on."""

import asyncio

import isolation_attacks as attacks
from isolation_oracle import Person
from isolation_pairs import everywhere, expect, held
from isolation_scene import Paper, Scene
from isolation_world import ANNEX, OPERATOR

from knowlog.database import Database, raw_session, tables_of

_MOST_MOVES = 2
"""There and back: a third one would wait until the silo is forgotten everywhere."""
_BREATH_S = 0.1
"""Between two rounds of looking, for the worker that moves it is in the same process."""
_BLIND = [each for each in attacks.FORGEABLE if each[0] == "GET" and "{document_id" in each[1]]


def may_move(scene: Scene, tenant: str) -> bool:
    """Whether a tenant has not moved too often in this story."""
    return scene.moves.get(tenant, 0) < _MOST_MOVES


async def move(scene: Scene, paper: Paper, stranger: Person, number: int) -> int:
    """A tenant moves to the silo, or back. Everybody looks meanwhile, and a stranger asks for its things; a key that is
    revoked on the way is revoked at both places. Afterwards all is there, and nothing is left behind. Returns the number
    of pairs of revoking and reading.
    """
    world, tenant, tenant_id = scene.world, paper.tenant, scene.things[paper.tenant]["tenant_id"]
    silo, times = await world.silo(), scene.moves.get(tenant, 0)
    scene.moves[tenant] = times + 1
    guest = await scene.invite(scene.of(tenant)[0], "guest", "reader")
    key_id = scene.things[tenant]["key_id"]
    expect(scene, "a fresh key", [(await world.call(guest, "GET", "/v1/documents")).status])
    place, target = f"/v1/tenants/{tenant_id}/move", "home" if times % 2 else ANNEX
    await world.good(OPERATOR, "POST", place, {"to": target}, surface="moves")
    pairs = 0
    while not (now := await world.good(OPERATOR, "GET", place, surface="moves"))["finished_at"]:
        await attacks.look_around(scene, number)
        await attacks.seek(scene, paper)
        await attacks.forge(scene, stranger, _BLIND, scene.things[tenant])
        pairs += await _revoke(scene, guest, key_id, paper)
        await asyncio.sleep(_BREATH_S)
    if now["step"] != "done":
        world.tally.leak(f"the move of {tenant} came to nothing: {now}")
    pairs += await _revoke(scene, guest, key_id, paper)
    await attacks.look_around(scene, number)
    await attacks.seek(scene, paper)
    await _nothing_left(scene, world.app.database if target == ANNEX else silo, tenant_id)
    return pairs


async def _revoke(scene: Scene, guest: Person, key_id: str, paper: Paper) -> int:
    """Revoke a key, unless that was done, or the tenant is just not written; once it is, no surface opens."""
    if guest.name in scene.people:
        owner, place = scene.of(paper.tenant)[0], f"/v1/keys/{key_id}"
        got = await scene.world.call(owner, "DELETE", place, surface="moves", bears=503)
        if got.status == 503:
            return 0
        scene.leave(guest)
    return held(scene, "key", await everywhere(scene, guest, paper), 401)


async def _nothing_left(scene: Scene, place: Database, tenant_id: str) -> None:
    """The old place has no row of a tenant."""
    async with raw_session(place.owner_url) as connection:
        for table in await tables_of(connection):
            query = f"select count(*) from {table.name} where tenant_id = $1"
            if left := await connection.fetchval(query, tenant_id):
                scene.world.tally.leak(f"{left} rows of {table.name} stay behind")
