"""The people and what is theirs: Alice's tenant with colleagues of fewer rights, Charlie's and Dora's beside it."""

import asyncio
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

from isolation_oracle import Person, canary
from isolation_world import OPERATOR, World

_NUMBERS = count()
_SETTLE_S, _LOOK_S = 60, 0.05


@dataclass
class Paper:
    """A document that somebody uploaded. `audience` None: for all whom the collection is for."""

    tenant: str
    collection: str
    document_id: str
    external_id: str
    word: str
    marks: list[str]
    audience: frozenset[str] | None
    job_id: str | None
    etag: str = ""


def provisioner(tenant: str) -> str:
    """The name of a tenant's identity provider."""
    return f"provider of {tenant}"


@dataclass
class Scene:
    """One story: three tenants of its own. The readers of each paper follow from its list and the people's rights."""

    world: World
    people: dict[str, Person] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)  # person -> the only collection of their key
    papers: list[Paper] = field(default_factory=list)
    gone: list[Paper] = field(default_factory=list)
    things: dict[str, dict[str, str]] = field(default_factory=dict)  # tenant -> parameter of a path -> id
    names: dict[str, str] = field(
        default_factory=dict
    )  # tenant -> its own mark, in names of things of admins
    views: dict[str, Any] = field(default_factory=dict)
    provisioners: dict[str, Person] = field(default_factory=dict)  # tenant -> its identity provider's key
    sign_ons: dict[str, Any] = field(default_factory=dict)  # tenant -> its sign-on
    moves: dict[str, int] = field(default_factory=dict)  # tenant -> how often it was moved

    def of(self, tenant: str) -> list[Person]:
        """Who belongs to a tenant."""
        return [person for person in self.people.values() if person.tenant == tenant]

    def sees(self, person: Person, paper: Paper) -> bool:
        """The law that the dictionary is filled by."""
        if (
            person.tenant != paper.tenant
            or self.limits.get(person.name, paper.collection) != paper.collection
        ):
            return False
        if self.is_admin(person) or paper.audience is None:
            return True
        return bool(paper.audience & person.groups)

    def admins(self, tenant: str) -> list[str]:
        """The names of those who see the affairs of a tenant's admins; who its members are, the identity provider too."""
        return [provisioner(tenant), *(each.name for each in self.of(tenant) if self.is_admin(each))]

    def is_admin(self, person: Person) -> bool:
        """Whether they see all papers of their tenant, and the affairs of admins."""
        return person.name.partition("-")[0] in {"alice", "charlie", "dora"}

    def admit(self, paper: Paper) -> None:
        """Write into the dictionary who may see a paper."""
        readers = [each.name for each in self.people.values() if self.sees(each, paper)]
        self.world.oracle.allow(paper.word, [] if paper in self.gone else readers)
        for mark in paper.marks:
            self.world.oracle.allow(mark, readers)

    def forget(self, paper: Paper) -> None:
        """It is deleted: nobody reads its word, and its names stay in the events of those who could."""
        self.papers.remove(paper)
        self.gone.append(paper)
        self.admit(paper)

    async def found(self, tenant: str, name: str) -> Person:
        """Found a tenant; its owner."""
        number = next(_NUMBERS)
        made = await self.world.good(OPERATOR, "POST", "/v1/tenants", {"name": f"{tenant} {number}"})
        self.names[tenant] = canary()
        self.things[tenant] = {"tenant_id": made["tenant"]["tenant_id"]}
        return self.enter(Person(f"{name}-{number}", tenant, made["secret"]))

    async def invite(
        self, by: Person, name: str, role: str, groups: frozenset[str] = frozenset(), only: str | None = None
    ) -> Person:
        """Let somebody in, with a key."""
        person = await self.key(by, name, role, groups, only)
        if only:
            self.limits[person.name] = only
        return self.enter(person)

    async def key(
        self, by: Person, name: str, role: str, groups: frozenset[str] = frozenset(), only: str | None = None
    ) -> Person:
        """Make a key for somebody who is shown nothing yet."""
        asked = {"name": f"{name} {self.names[by.tenant]}", "role": role, "groups": sorted(groups)}
        if only:
            asked["collections"] = [only]
        made = await self.world.good(by, "POST", "/v1/keys", asked)
        self.things[by.tenant]["key_id"] = made["key"]["key_id"]
        return Person(f"{name}-{next(_NUMBERS)}", by.tenant, made["secret"], groups)

    async def member(self, tenant: str, member_id: str, groups: frozenset[str]) -> Person:
        """A member in a session of theirs, who is shown what is for all and for their groups from now on."""
        secret = await self.world.session(self.things[tenant]["tenant_id"], member_id)
        return self.enter(Person(f"member-{member_id}", tenant, secret, groups))

    def enter(self, person: Person) -> Person:
        """Somebody with a key, or in a session; who is there already may have other groups from now on."""
        self.people[person.name] = person
        self._admit_all()
        return person

    def leave(self, person: Person) -> None:
        """Somebody is shown nothing from now on."""
        del self.people[person.name]
        self._admit_all()

    def _admit_all(self) -> None:
        for paper in (*self.papers, *self.gone):
            self.admit(paper)

    async def upload(
        self, by: Person, collection: str, audience: frozenset[str] | None = None, papers: int = 1
    ) -> list[Paper]:
        """Upload papers full of canaries, and wait until they can be found."""
        made = await asyncio.gather(*(self._upload(by, collection, audience) for _ in range(papers)))
        await asyncio.gather(*(self.settle(by, paper) for paper in made))
        return made

    async def _upload(self, by: Person, collection: str, audience: frozenset[str] | None) -> Paper:
        word, title, name, value = (canary() for _ in range(4))
        body: dict[str, Any] = {
            "text": f"# {title}\n\nThe price of the {word} probe is agreed and lasts 24 months.",
            "title": f"About {title}", "external_id": f"papers/{name}.md", "metadata": {"code": value, "year": 2026},
        }  # fmt: skip
        if audience is not None:
            body["access"] = sorted(audience)
        # Known before the answer comes: others may hear of it earlier.
        paper = Paper(
            by.tenant, collection, "", body["external_id"], word, [title, name, value], audience, None
        )
        self.admit(paper)
        got = (await self.world.good(by, "POST", f"/v1/collections/{collection}/documents", body))["items"][0]
        paper.document_id, paper.job_id = got["document_id"], got["job_id"]
        paper.marks += [got["document_id"], got["job_id"]]
        self.admit(paper)
        self.papers.append(paper)
        self.things[by.tenant] |= {"document_id": paper.document_id, "job_id": paper.job_id}
        return paper

    async def settle(self, by: Person, paper: Paper) -> None:
        """Wait until a worker has indexed it."""
        async with asyncio.timeout(_SETTLE_S):
            while True:
                got = await self.world.call(by, "GET", f"/v1/documents/{paper.document_id}", surface="jobs")
                if got.json()["state"] == "indexed":
                    paper.etag = got.headers["etag"]
                    return
                await asyncio.sleep(_LOOK_S)

    async def allow(self, by: Person, paper: Paper, audience: frozenset[str] | None) -> None:
        """Say for whom a paper is. Holds from the next call on."""
        subjects = None if audience is None else sorted(audience)
        await self.world.good(by, "PUT", f"/v1/documents/{paper.document_id}/access", {"subjects": subjects})
        paper.audience = audience
        self.admit(paper)

    async def delete(self, by: Person, paper: Paper) -> None:
        """Delete a paper: from now on nobody reads its word; names stay in events of those who could."""
        await self.world.good(by, "DELETE", f"/v1/documents/{paper.document_id}")
        self.forget(paper)

    async def furnish(self, by: Person) -> None:
        """What admins have: a webhook, a schedule, a domain, each named by the tenant's mark."""
        mark, world = self.names[by.tenant], self.world
        things = self.things[by.tenant]
        hook = await world.good(
            by, "POST", "/v1/webhooks",
            {"url": f"http://127.0.0.1:8443/{mark}", "description": mark, "types": ["collection.deleted"]},
        )  # fmt: skip
        plan = {"name": mark, "collection": "handbook", "task": "retention", "every_s": 86400}
        plan["older_than_days"] = 36500
        things["thread_id"] = (await world.good(by, "POST", "/v1/threads", {}))["thread_id"]
        things["schedule"] = (await world.good(by, "POST", "/v1/schedules", plan))["schedule_id"]
        await world.good(by, "POST", "/v1/domains", {"domain": f"{mark}.example.com"})
        things |= {"endpoint_id": hook["webhook"]["endpoint_id"], "domain": f"{mark}.example.com"}
        world.oracle.allow(mark, [each.name for each in self.of(by.tenant)])

    async def collect(self, by: Person, name: str) -> None:
        """Make a collection; all tenants use the same names."""
        made = await self.world.good(by, "POST", "/v1/collections", {"name": name})
        self.things[by.tenant]["collection"] = made["collection_id"]


SALES, LEGAL = str(uuid4()), str(uuid4())


async def set_the_scene(world: World) -> Scene:
    """Alice's tenant: a handbook and a quiet collection; papers for all, for sales, for legal. Charlie's and Dora's."""
    world.oracle = world.oracle.closed()
    scene = Scene(world)
    alice = await scene.found("north", "alice")
    charlie = await scene.found("south", "charlie")
    dora = await scene.found("west", "dora")
    for owner in (alice, charlie, dora):
        await scene.collect(owner, "handbook")
    await scene.collect(alice, "quiet")
    await scene.invite(alice, "bob", "reader", frozenset({SALES}))
    await scene.invite(alice, "bella", "editor", frozenset({LEGAL}))
    await scene.invite(alice, "bert", "reader")
    await scene.invite(alice, "ben", "reader", frozenset({LEGAL}), only="handbook")
    await scene.invite(charlie, "carla", "reader")
    for each in (SALES, LEGAL):
        world.oracle.allow(each, [person.name for person in scene.of("north")])
    for owner in (alice, charlie):
        await scene.furnish(owner)
    await asyncio.gather(
        scene.upload(dora, "handbook", papers=2),
        scene.upload(charlie, "handbook", papers=2),
        scene.upload(alice, "quiet", papers=2),
        scene.upload(alice, "handbook", papers=1),
        scene.upload(alice, "handbook", frozenset({SALES})),
        scene.upload(alice, "handbook", frozenset({LEGAL})),
    )
    return scene
