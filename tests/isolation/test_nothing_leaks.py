"""Nothing of a tenant, or of a paper that is for some only, reaches anybody else: played, not argued."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic

import pytest
from isolation_machine import play
from isolation_oracle import CALLS, REVOCATIONS, SEED, Tally
from isolation_revocations import revoke_everything, revoke_in_commands
from isolation_scene import set_the_scene
from isolation_sign_on import come_in

pytestmark = pytest.mark.slow
_TELL_EVERY_S = 60
_COMMANDS_EVERY = 40  # a process costs as much as hundreds of calls
_SIGN_ONS_EVERY = 4


@dataclass
class Record:
    """The figures, in the file that --figures names and on the screen; of a long run every minute."""

    request: pytest.FixtureRequest
    told: float = field(default_factory=monotonic)

    @property
    def kept(self) -> dict[str, float]:
        """What a run before has written, if this one goes on from there."""
        file = self.request.config.getoption("figures", None)
        if file and file.exists() and self.request.config.getoption("resume", False):
            return json.loads(file.read_text())
        return {}

    def keep(self, figures: Mapping[str, float]) -> None:
        """Write them down, and tell a minute after the last time."""
        if file := self.request.config.getoption("figures", None):
            before = json.loads(file.read_text()) if file.exists() else {}
            file.write_text(json.dumps({**before, **figures}, indent=2) + "\n")
        if monotonic() - self.told > _TELL_EVERY_S:
            self.tell(figures)

    def tell(self, figures: Mapping[str, float]) -> None:
        """Print them."""
        self.told = monotonic()
        with self.request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print()
            for name, value in figures.items():
                print(f"  {name:<28}{value:,.6g}" if isinstance(value, float) else f"  {name:<28}{value:,}")


@pytest.mark.timeout(0)
def test_nothing_leaks(stage, request: pytest.FixtureRequest) -> None:
    """Owner, colleagues and strangers over REST, streams, the command line and jobs: 0 leaks."""
    world, record = stage.open(request.config.getoption("calls", CALLS)), Record(request)
    world.tally.go_on(record.kept)
    seed = int(record.kept.get("next_seed", request.config.getoption("seed", SEED)))
    play(world, stage.runner, seed, lambda after: record.keep({**world.tally.figures(), "next_seed": after}))
    record.tell(world.tally.figures())
    assert not world.tally.leaks, world.tally.leaks[0]
    assert not world.tally.tells_by_time, world.tally.timing()


def test_a_slower_answer_is_heard_through_the_noise() -> None:
    """Times that other work doubles and halves: a third more for what is forbidden is told, nothing more is not."""
    loads = [(2 ** (number * 37 % 101 / 50), 2 ** (number * 53 % 97 / 48)) for number in range(600)]
    for longer, told in ((1.0, False), (1.34, True)):
        tally = Tally(0)
        tally.forged = [(round(1e6 * one * longer), round(1e6 * other)) for one, other in loads]
        assert tally.tells_by_time is told


@pytest.mark.timeout(0)
def test_what_is_revoked_is_refused_at_once(stage, request: pytest.FixtureRequest) -> None:
    """Keys, grants, collections, groups, members, sessions and open streams: 0 calls that still succeed."""
    world, record = stage.open(10**9), Record(request)
    wanted = request.config.getoption("revocations", REVOCATIONS)
    done = int(record.kept.get("revoke_then_read_pairs", 0))

    def figures(pairs: int) -> dict[str, float]:
        return {"revoke_then_read_pairs": pairs, "stale_grants": len(world.tally.leaks)}

    async def take_back(pairs: int) -> int:
        scene, rounds = await set_the_scene(world), 0
        while pairs < wanted:
            pairs += await revoke_everything(scene)
            if rounds % _SIGN_ONS_EVERY == 0 and world.has_provider:
                pairs += await come_in(scene, scene.papers[-1], "south")
            if rounds % _COMMANDS_EVERY == 0:
                pairs += await revoke_in_commands(scene)
            rounds += 1
            record.keep(figures(pairs))
        return pairs

    record.tell(figures(stage.runner.run(take_back(done))))
    assert not world.tally.leaks, world.tally.leaks[0]
