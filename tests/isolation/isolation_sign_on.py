"""Single sign-on by a real provider: what it says is good in the tenant whose provider it is, and as long as it holds."""

from dataclasses import dataclass, replace
from itertools import count
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import isolation_attacks as attacks
from isolation_oracle import Got, Person, canary
from isolation_pairs import around_paper, everywhere, expect, held
from isolation_scene import Paper, Scene

from openid_provider import Provider, through_provider

_NUMBERS = count()
_COOKIE = "__Host-knowlog-sign-on"


@dataclass(frozen=True)
class Door:
    """A tenant's sign-on: the path at which people begin, and the group that it fills with the provider's team."""

    tenant: str
    start: str
    group: str


@dataclass(frozen=True)
class Returned:
    """Somebody's browser, whom the provider has led back: the path, and the cookie that goes with it."""

    browser: Person
    path: str
    cookie: str

    @property
    def said(self) -> dict[str, str]:
        """What the path says."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}


async def door_of(scene: Scene, tenant: str) -> Door:
    """The sign-on of a tenant, which is a client of the provider."""
    if tenant not in scene.sign_ons:
        provider, owner = await scene.world.provider(), scene.of(tenant)[0]
        name = f"team {canary()}"
        scene.world.oracle.allow(name.removeprefix("team "), scene.admins(tenant))
        terms = {"name": "company", "issuer": provider.issuer, "client_id": "x", "client_secret": "y",
                 "domains": ["example.com"], "scopes": ["email", "groups"], "groups": {"team": name}}  # fmt: skip
        made = await scene.world.good(owner, "POST", "/v1/sign-on", terms)
        client = await provider.registered(made["redirect_uri"])
        await scene.world.good(owner, "PATCH", "/v1/sign-on/company", client)
        groups = (await scene.world.good(owner, "GET", "/v1/groups?limit=200"))["items"]
        (group,) = (each["group_id"] for each in groups if each["name"] == name)
        scene.sign_ons[tenant] = Door(tenant, urlsplit(made["start"]).path, group)
    return scene.sign_ons[tenant]


async def _led_back(scene: Scene, door: Door, account: str) -> Returned:
    """Begin, and sign in at the provider as `account`."""
    number = next(_NUMBERS)
    browser = Person(
        "browser", door.tenant, "", address=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    )
    begun = await scene.world.call(browser, "GET", door.start, surface="sign_on")
    expect(scene, f"who begins at {door.start}", [begun.status], 303)
    cookie = begun.headers["set-cookie"].partition(";")[0]
    back = urlsplit(await through_provider(begun.headers["location"], account))
    return Returned(browser, f"{back.path}?{back.query}", cookie)


async def _finish(
    scene: Scene, returned: Returned, path: str | None = None, cookie: str | None = None
) -> Got:
    """Come back; `bears` a provider that takes no code of another's."""
    cookie = returned.cookie if cookie is None else cookie
    return await scene.world.call(
        returned.browser, "GET", path or returned.path, surface="sign_on", bears=503, cookie=cookie
    )


async def _come(scene: Scene, door: Door, account: str) -> Got:
    return await _finish(scene, await _led_back(scene, door, account))


def _say(provider: Provider, account: str, *groups: str) -> None:
    """What the provider says of an account from now on."""
    claims = {"email": f"{account}@example.com", "email_verified": True, "groups": groups}
    provider.users({account: claims})


async def come_in(scene: Scene, paper: Paper, other: str) -> int:
    """Somebody comes in by the provider of a tenant, tries what that opens in another one, loses a group there, is
    disabled, and loses the sign-on: each holds for every surface with the next call. Returns the number of pairs.
    """
    here, there = await door_of(scene, paper.tenant), await door_of(scene, other)
    account, owner, before = canary(), scene.of(paper.tenant)[0], paper.audience
    provider = await scene.world.provider()
    scene.world.oracle.allow(account, [*scene.admins(here.tenant), *scene.admins(there.tenant)])
    _say(provider, account, "team")
    await scene.allow(owner, paper, (before or frozenset()) | {here.group})
    returned = await _led_back(scene, here, account)
    await _misuse(scene, returned, here, there, account)
    inside = await _entered(scene, here, account, await _finish(scene, returned))
    expect(scene, "who signed in", await everywhere(scene, inside, paper))
    await _try_twice_and_elsewhere(scene, returned, inside, there, account)
    pairs = await _lose_group(scene, provider, here, inside, account, paper)
    pairs += await _lose_access(scene, here, inside, account, paper)
    await scene.allow(owner, paper, before)
    return pairs


async def _entered(scene: Scene, door: Door, account: str, got: Got) -> Person:
    """Who has a session by now."""
    if got.status != 200:
        scene.world.tally.leak(f"{account} is not let in to {door.tenant}: {got.status} {got.body!r}")
    opened = got.json()
    if opened["tenant_id"] != scene.things[door.tenant]["tenant_id"]:
        scene.world.tally.leak(f"the sign-on of {door.tenant} opens {opened}")
    person = Person(
        f"member-{opened['member_id']}", door.tenant, opened["access_token"], frozenset({door.group})
    )
    readers = {*scene.world.oracle.may[account], person.name}
    scene.world.oracle.allow(account, readers)
    return scene.enter(person)


async def _misuse(scene: Scene, returned: Returned, here: Door, there: Door, account: str) -> None:
    """What the provider has said for one tenant is brought to another, to one that nobody has, and by another browser;
    its code is brought to another tenant that knows the same provider.
    """
    tenants = [scene.things[each.tenant]["tenant_id"] for each in (here, there)]
    absent = str(uuid4())
    told = [
        (await _finish(scene, returned, returned.path.replace(tenants[0], named)), {"tenant_id": named})
        for named in (tenants[1], absent)
    ]
    attacks.same_words(scene, returned.browser, "callback of another tenant", *told)
    elsewhere = await _led_back(scene, there, account)
    swapped = elsewhere.path.replace(elsewhere.said["code"], returned.said["code"])
    stolen = [got for got, _ in told]
    stolen += [await _finish(scene, returned, cookie=each) for each in ("", f"{_COOKIE}={'A' * 43}")]
    stolen.append(await _finish(scene, elsewhere, swapped))
    if any(got.status not in (401, 503) for got in stolen):
        scene.world.tally.leak(
            f"what a provider said opens more: {[(got.status, got.body) for got in stolen]}"
        )


async def _try_twice_and_elsewhere(
    scene: Scene, returned: Returned, inside: Person, there: Door, account: str
) -> None:
    """The way back is good once. The session opens no other tenant, whatever the same account may do there: each of the
    two sees what its own tenant shows, and no more.
    """
    other = scene.things[there.tenant]["tenant_id"]
    twin = await _entered(scene, there, account, await _come(scene, there, account))
    again = await _finish(scene, returned)
    named = await scene.world.call(inside, "GET", "/v1/documents", surface="sign_on", x_knowlog_tenant=other)
    switched = await scene.world.call(
        inside, "POST", "/v1/sessions:switch", {"tenant_id": other}, surface="sign_on"
    )
    if (again.status, named.status, switched.status) != (401, 403, 403):
        told = [(each.status, each.body) for each in (again, named, switched)]
        scene.world.tally.leak(f"{inside} goes from tenant to tenant: {told}")
    for who in (inside, twin):
        await attacks.look(scene, who, 0)
    scene.leave(twin)


async def _lose_group(
    scene: Scene, provider: Provider, here: Door, inside: Person, account: str, paper: Paper
) -> int:
    """Who is in the team no more, as the provider says at the next sign-in, has lost it in the older session too."""
    _say(provider, account)
    later = replace(
        await _entered(scene, here, account, await _come(scene, here, account)), groups=frozenset()
    )
    scene.enter(later)
    pairs = held(scene, "provider's group", await around_paper(scene, later, paper), 404)
    return pairs + held(scene, "provider's group", await around_paper(scene, inside, paper), 404)


async def _lose_access(scene: Scene, here: Door, inside: Person, account: str, paper: Paper) -> int:
    """Who is disabled is out, and not let in again; a sign-on that is removed takes its sessions with it."""
    owner, place = scene.of(here.tenant)[0], f"/v1/members/{inside.name.removeprefix('member-')}"
    await scene.world.good(owner, "PATCH", place, {"enabled": False})
    pairs = held(scene, "member", await everywhere(scene, inside, paper), 401)
    pairs += held(scene, "member", [(await _come(scene, here, account)).status], 403)
    await scene.world.good(owner, "PATCH", place, {"enabled": True})
    back = replace(
        await _entered(scene, here, account, await _come(scene, here, account)), groups=frozenset()
    )
    scene.enter(back)
    expect(scene, "who signed in again", [(await scene.world.call(back, "GET", "/v1/documents")).status])
    await scene.world.good(owner, "DELETE", "/v1/sign-on/company")
    del scene.sign_ons[here.tenant]
    pairs += held(scene, "sign-on", await everywhere(scene, back, paper), 401)
    scene.leave(back)
    return pairs
