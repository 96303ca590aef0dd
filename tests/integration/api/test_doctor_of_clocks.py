"""What `knowlog doctor` says of clocks: with this machine's, or a worker's, moved at the place where it is read."""

import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from knowlog.bootstrap import App
from knowlog.cli.doctor.clocks import check_clocks
from knowlog.cli.doctor.model import Finding
from knowlog.cli.doctor.server import Target
from knowlog.database import Clock
from knowlog.kernel import now
from knowlog.workers.maintenance import Upkeep


@pytest.fixture(autouse=True)
async def _nobody_said_anything(app: App) -> AsyncIterator[None]:
    yield
    async with app.database.owner() as owner:
        await owner.execute("select setval('knowlog.clock_off', 0)")


def ahead(seconds: float) -> Clock:
    def clock() -> datetime:
        return now() + timedelta(seconds=seconds)

    return clock


async def found(app: App, address: str, clock: Clock = now) -> Finding:
    (finding,) = [each async for each in check_clocks(app.settings, Target(address), clock)]
    return finding


async def test_clocks_that_agree_are_named(app: App, address: str) -> None:
    """The server answers from the same machine."""
    finding = await found(app, address)
    assert (finding.outcome, finding.found) == ("ok", "this machine, the server: as the database's")


@pytest.mark.parametrize(("off_s", "outcome", "told"), [
    (4, "ok", "as the database's"),
    (30, "warn", "this machine is 30 s ahead"),
    (-90, "fail", "this machine is 90 s behind"),
])  # fmt: skip
async def test_this_machines_clock_is_judged_by_the_databases(
    app: App, address: str, off_s: float, outcome: str, told: str
) -> None:
    """And the server's by what is left between the two, although only this machine has seen both."""
    finding = await found(app, address, ahead(off_s))
    assert (finding.outcome, told in finding.found, "the server is" in finding.found) == (
        outcome,
        True,
        False,
    )


async def test_a_worker_elsewhere_tells_of_its_clock(app: App, address: str, caplog) -> None:
    """Once in its log, and to the doctor as long as it is off; one that is right says nothing."""
    await Upkeep(app).compare_clocks()
    assert (await found(app, address)).outcome == "ok"
    upkeep = Upkeep(app, ahead(-75))
    with caplog.at_level(logging.WARNING, "knowlog.worker"):
        await upkeep.compare_clocks()
        await upkeep.compare_clocks()
    assert [each.message for each in caplog.records] == [
        "this machine's clock is -75 s off the database's: set it by NTP"
    ]
    finding = await found(app, address)
    assert (finding.outcome, "a worker is 75 s behind" in finding.found) == ("fail", True)
    assert "NTP" in finding.mend


async def test_what_was_said_by_a_clock_that_was_mended_is_forgotten(app: App, address: str) -> None:
    """The database's was a day ahead when a worker compared its own with it."""
    async with app.database.owner() as owner:
        await owner.execute(
            "select setval('knowlog.clock_off', (1073741824 - 86400)::bigint << 32 | $1::bigint)",
            int((now() + timedelta(days=1)).timestamp()),
        )
    assert (await found(app, address)).outcome == "ok"
