"""The state machine: Hypothesis chooses who does what, and in which order."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import isolation_attacks as attacks
import isolation_provisioning as provisioning
import isolation_silos as silos
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from isolation_oracle import Person
from isolation_revocations import revoke_everything
from isolation_scene import LEGAL, SALES, Paper, Scene, set_the_scene
from isolation_sign_on import come_in
from isolation_world import World

STEPS = 12
"""Of one story, which begins with tenants of its own."""
_STORIES = 40  # at a time
_CALLS_PER_COMMAND = 2500  # a process costs as much as hundreds of calls
_CALLS_PER_FOLLOWING = 1000
_CALLS_PER_REVOCATION = 4000
_CALLS_PER_ARCHIVE = 500
_CALLS_PER_PROVISIONING = 500
_CALLS_PER_SIGN_ON = 2500
_CALLS_PER_MOVE = 4000

numbers = st.integers(0, 10**6)
audiences = st.sampled_from(
    [None, frozenset(), frozenset({SALES}), frozenset({LEGAL}), frozenset({SALES, LEGAL})]
)
routes = st.lists(st.sampled_from(attacks.FORGEABLE), min_size=10, max_size=10)


class Isolation(RuleBasedStateMachine):
    """Alice (owner), colleagues with fewer rights, and strangers, at one application, whose connections they share."""

    world: World
    runner: asyncio.Runner

    stories = 0

    def __init__(self) -> None:
        super().__init__()
        self.scene: Scene
        type(self).stories += 1

    def play(self, act: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Do something, unless all has been found out. The first story is always the simplest: it is left out."""
        if self.stories > 1 and not self.world.tally.over:
            self.runner.run(act())

    def due(self, surface: str, calls: int) -> bool:
        """Whether something dear is due again. If so, it counts as done."""
        tally = self.world.tally
        in_turn = (tally.dear[surface] + 1) * calls <= tally.calls
        due = in_turn if tally.only is None else surface == tally.only
        tally.dear[surface] += due
        return due and self.stories > 1

    def who(self, number: int) -> Person:
        people = list(self.scene.people.values())
        return people[number % len(people)]

    def paper(self, number: int, tenants: tuple[str, ...] = ("north", "south", "west")) -> Paper:
        papers = [each for each in self.scene.papers if each.tenant in tenants and each.collection != "quiet"]
        return papers[number % len(papers)]

    def owner(self, tenant: str) -> Person:
        return self.scene.of(tenant)[0]

    @initialize()
    def begin(self) -> None:
        async def act() -> None:
            self.scene = await set_the_scene(self.world)

        self.play(act)

    @rule(number=numbers, audience=audiences)
    def upload(self, number: int, audience: frozenset[str] | None) -> None:
        """Alice, or Charlie, uploads into a handbook. Charlie has no groups: what is not for all, is for nobody."""

        async def act() -> None:
            by = self.owner("north" if number % 3 else "south")
            readers = audience if by.tenant == "north" or audience is None else frozenset[str]()
            for paper in await self.scene.upload(by, "handbook", readers, papers=2):
                await attacks.seek(self.scene, paper)

        self.play(act)

    @rule(audience=audiences)
    def whisper(self, audience: frozenset[str] | None) -> None:
        """Alice uploads into the quiet collection what Bert may not see: nothing changes for him."""

        async def act() -> None:
            await self.scene.upload(self.owner("north"), "quiet", audience or frozenset())
            await self._views()

        self.play(act)

    @rule(number=numbers, audience=audiences)
    def allow(self, number: int, audience: frozenset[str] | None) -> None:
        """Alice grants a paper to some, and takes it from others: it holds from the next call on."""

        async def act() -> None:
            paper = self.paper(number, ("north",))
            await self.scene.allow(self.owner("north"), paper, audience)
            await attacks.read(self.scene, paper)
            await attacks.seek(self.scene, paper)

        self.play(act)

    @rule(number=numbers)
    def delete(self, number: int) -> None:
        """Alice deletes a paper."""

        async def act() -> None:
            if len([each for each in self.scene.papers if each.tenant == "north"]) > 6:
                paper = self.paper(number, ("north",))
                await self.scene.delete(self.owner("north"), paper)
                await attacks.seek(self.scene, paper)
                await attacks.read(self.scene, paper)

        self.play(act)

    @rule(number=numbers, kind=st.sampled_from(["search", "search", "answers"]))
    def seek(self, number: int, kind: str) -> None:
        """Everybody asks for the same secret."""
        self.play(lambda: attacks.seek(self.scene, self.paper(number), kind))

    @rule(number=numbers)
    def look(self, number: int) -> None:
        """Everybody looks at every list, all at once."""

        async def act() -> None:
            await attacks.look_around(self.scene, number)

        self.play(act)

    @rule(number=numbers, wanted=routes)
    def forge(self, number: int, wanted: list[tuple[str, str]]) -> None:
        """A stranger asks for others' things by their ids."""

        async def act() -> None:
            who = self.who(number)
            victim = self.scene.things["south" if who.tenant == "north" else "north"]
            await attacks.forge(self.scene, who, wanted, victim)

        self.play(act)

    @rule(number=numbers)
    def forge_inside(self, number: int) -> None:
        """A colleague asks for a paper that is not for them, by its id."""

        async def act() -> None:
            who, paper = self.who(number), self.paper(number // 7, ("north",))
            if who.tenant == "north" and not self.scene.sees(who, paper):
                wanted = [
                    each for each in attacks.FORGEABLE if "{document_id" in each[1] or "{job_id" in each[1]
                ]
                victim = {"document_id": paper.document_id, "job_id": paper.job_id or paper.document_id}
                await attacks.forge(self.scene, who, wanted, victim)

        self.play(act)

    @rule(number=numbers)
    def name_foreign_collections(self, number: int) -> None:
        """A stranger names others' collections where a request takes some."""

        async def act() -> None:
            who = self.who(number)
            victim = self.scene.things["south" if who.tenant == "north" else "north"]
            await attacks.name_foreign_collections(self.scene, who, victim)

        self.play(act)

    @rule(turned=st.booleans())
    def reuse(self, turned: bool) -> None:
        """Cursors, keys and names of one tenant in the hands of another."""
        pair = ("south", "north") if turned else ("north", "south")
        self.play(lambda: attacks.reuse(self.scene, *map(self.owner, pair)))

    @rule()
    def upload_in_turns(self) -> None:
        """Ids of two tenants, made at the same time."""
        self.play(lambda: attacks.upload_in_turns(self.scene, self.owner("north"), self.owner("south")))

    @rule()
    def views(self) -> None:
        """Dora, in whose tenant nothing happens, and Bert, for whom nothing does, see what they saw."""
        self.play(self._views)

    async def _views(self) -> None:
        words = [self.paper(number).word for number in (0, 3)]
        bert = next(each for name, each in self.scene.people.items() if name.startswith("bert"))
        self.scene.views.setdefault("words", words)
        await attacks.view(self.scene, self.owner("west"), "handbook", self.scene.views["words"])
        await attacks.view(self.scene, bert, "quiet", self.scene.views["words"])

    @rule(number=numbers, tenant=st.sampled_from(["north", "south"]))
    def break_off(self, number: int, tenant: str) -> None:
        """Requests and transactions end in the middle; right afterwards everybody looks."""

        async def act() -> None:
            await attacks.break_off(self.scene, number)
            await attacks.break_transactions(self.scene, tenant)
            await attacks.look_around(self.scene, number)

        self.play(act)

    @rule(tenant=st.sampled_from(["north", "south"]))
    def export(self, tenant: str) -> None:
        """An owner takes the tenant's archive."""
        if self.due("archives", _CALLS_PER_ARCHIVE):
            self.play(lambda: attacks.export(self.scene, self.owner(tenant)))

    @rule(number=numbers)
    def hang_up(self, number: int) -> None:
        """Clients go away."""

        async def act() -> None:
            await asyncio.gather(*(attacks.hang_up(self.scene, self.who(number + each)) for each in range(3)))
            await asyncio.gather(*(attacks.seek(self.scene, self.paper(number)) for _ in range(2)))

        self.play(act)

    @rule(audience=audiences)
    def follow(self, audience: frozenset[str] | None) -> None:
        """Everybody follows the log."""
        if self.due("following", _CALLS_PER_FOLLOWING):
            self.play(lambda: attacks.follow(self.scene, self.owner("north"), audience))

    @rule(number=numbers)
    def command(self, number: int) -> None:
        """Somebody uses the command line."""
        if self.due("commands", _CALLS_PER_COMMAND):
            self.play(lambda: attacks.command(self.scene, self.who(number), number // 11))

    @rule()
    def revoke(self) -> None:
        """A key is revoked, a grant taken back, a collection closed: the next call of each surface is refused."""
        if self.due("revocations", _CALLS_PER_REVOCATION):
            self.play(lambda: revoke_everything(self.scene))

    @rule(number=numbers, tenant=st.sampled_from(["north", "south"]))
    def provision(self, number: int, tenant: str) -> None:
        """An identity provider brings somebody and lets them go; another tenant's tries to."""

        async def act() -> None:
            strange = "south" if tenant == "north" else "north"
            await provisioning.provision(self.scene, self.paper(number, (tenant,)))
            await provisioning.forge_users(self.scene, strange, tenant)
            await provisioning.stray(self.scene, tenant)

        if self.due("provisioning", _CALLS_PER_PROVISIONING):
            self.play(act)

    @rule(number=numbers, tenant=st.sampled_from(["north", "south"]))
    def sign_on(self, number: int, tenant: str) -> None:
        """Somebody comes in by the tenant's provider, which is another tenant's too."""
        strange = "south" if tenant == "north" else "north"
        if self.world.has_provider and self.due("sign_on", _CALLS_PER_SIGN_ON):
            self.play(lambda: come_in(self.scene, self.paper(number, (tenant,)), strange))

    @rule(number=numbers, tenant=st.sampled_from(["north", "south", "west"]))
    def move(self, number: int, tenant: str) -> None:
        """A tenant moves to a silo, or back from there."""

        async def act() -> None:
            stranger = self.owner("south" if tenant == "north" else "north")
            if silos.may_move(self.scene, tenant):
                await silos.move(self.scene, self.paper(number, (tenant,)), stranger, number)

        if self.due("moves", _CALLS_PER_MOVE):
            self.play(act)


def play(
    world: World,
    runner: asyncio.Runner,
    first_seed: int,
    told: Callable[[int], None] = lambda next_seed: None,
) -> None:
    """Play one story after the other until there were so many calls, or a leak; the tally tells. `told` hears after some
    stories with which seed to go on.
    """
    Isolation.world, Isolation.runner = world, runner
    chosen = settings(
        max_examples=_STORIES, stateful_step_count=STEPS, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip
    number = first_seed
    while not world.tally.over:
        machine = seed(number)(type("Isolation", (Isolation,), {}))
        try:
            run_state_machine_as_test(machine, settings=chosen)
        except Exception:
            if not world.tally.leaks:  # Hypothesis reports a leak in ways of its own; the tally has it
                raise
        number += 1
        told(number)
