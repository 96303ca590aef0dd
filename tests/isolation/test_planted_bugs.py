"""The machine finds what it is there for: each bug is planted, and played against until it shows."""

import pytest
from isolation_machine import play
from isolation_planted import BUGS, Bug

pytestmark = pytest.mark.slow


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One of every kind each time; those that only dear calls show, with `make isolation`."""
    every = metafunc.config.getoption("every_bug", False)
    bugs = [bug for bug in BUGS if every or not bug.dear]
    metafunc.parametrize("bug", bugs, ids=[bug.name for bug in bugs])


def test_a_planted_bug_is_found(stage, bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a third of the calls that are played each time, in which nothing else is found."""
    world = stage.open(bug.calls, bug.sql, bug.silo_sql)
    world.tally.only = bug.dear
    bug.plant(monkeypatch)
    play(world, stage.runner, bug.seed)
    assert world.tally.leaks, world.tally.figures()
    print(f"{bug.name}: after {world.tally.calls} calls: {world.tally.leaks[0][:300]}")
