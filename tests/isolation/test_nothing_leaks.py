"""Nothing of a tenant, or of a paper that is for some only, reaches anybody else: played, not argued."""

import json

import pytest
from isolation_machine import play
from isolation_oracle import CALLS, REVOCATIONS, SEED
from isolation_revocations import revoke_everything
from isolation_scene import set_the_scene


@pytest.mark.timeout(0)
def test_nothing_leaks(stage, request: pytest.FixtureRequest) -> None:
    """Owner, colleagues and strangers over REST, streams, the command line and jobs: 0 leaks."""
    world = stage.open(request.config.getoption("calls", CALLS))
    play(world, stage.runner, request.config.getoption("seed", SEED))
    report(request, world.tally.figures())
    assert not world.tally.leaks, world.tally.leaks[0]


@pytest.mark.timeout(0)
def test_what_is_revoked_is_refused_at_once(stage, request: pytest.FixtureRequest) -> None:
    """Keys, grants, collections and open streams: 0 calls that still succeed."""
    world = stage.open(10**9)
    wanted = request.config.getoption("revocations", REVOCATIONS)

    async def take_back() -> int:
        scene, pairs = await set_the_scene(world), 0
        while pairs < wanted:
            pairs += await revoke_everything(scene)
        return pairs

    pairs = stage.runner.run(take_back())
    report(request, {"revoke_then_read_pairs": pairs, "stale_grants": len(world.tally.leaks)})
    assert not world.tally.leaks, world.tally.leaks[0]


def report(request: pytest.FixtureRequest, figures: dict[str, float]) -> None:
    """Print the figures, and keep them where --figures says."""
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print()
        for name, value in figures.items():
            print(f"  {name:<28}{value:,.6g}" if isinstance(value, float) else f"  {name:<28}{value:,}")
    if file := request.config.getoption("figures", None):
        kept = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps({**kept, **figures}, indent=2) + "\n")
