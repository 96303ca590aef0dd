"""The machine finds what it is there for: each bug is planted, and played against until it shows."""

import pytest
from isolation_machine import play
from isolation_planted import BUGS, Bug


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_planted_bug_is_found(stage, bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a fifth of the calls that are played each time."""
    world = stage.open(bug.calls, bug.sql)
    bug.plant(monkeypatch)
    play(world, stage.runner, 11)
    assert world.tally.leaks, world.tally.figures()
    print(f"{bug.name}: after {world.tally.calls} calls: {world.tally.leaks[0][:300]}")


def test_where_nothing_is_planted_nothing_is_found(stage) -> None:
    """The same stories, with knowlog as it is."""
    world = stage.open(BUGS[0].calls)
    play(world, stage.runner, 11)
    assert not world.tally.leaks, world.tally.leaks[0]
