"""What a dead worker of the same machine held is free at once; what a living or a distant one holds is not."""

import subprocess
import sys

import pytest

from knowlog.bus import append_events, claim
from knowlog.database import Database
from knowlog.kernel import new_id
from knowlog.workers.neighbours import end_leases_of_dead, new_name


@pytest.fixture(autouse=True)
async def _alone(database: Database):
    """Other tests' leftovers are out of the way: the queue is one for all tenants."""
    async with database.owner() as owner:
        await owner.execute(
            "set role knowlog_definer; delete from knowlog.events where state in ('waiting', 'running')"
        )


NAME = "from knowlog.workers.neighbours import new_name; print(new_name())"


def name_of_a_dead_process() -> str:
    done = subprocess.run([sys.executable, "-c", NAME], capture_output=True, text=True, check=True)
    return done.stdout.strip()


async def test_leases_of_dead_neighbours_end(database, tenant) -> None:
    """The dead one's event can be claimed at once."""
    async with database.transaction(tenant) as connection:
        ids = await append_events(
            connection, "document.received", [(new_id(), {"version": 1, "size_bytes": 1}) for _ in range(3)]
        )
    mine, dead = new_name(), name_of_a_dead_process()
    distant = dead.replace(dead.split("-")[0], "elsewhere", 1)
    holders = {}
    for name in (mine, dead, distant):
        (taken,) = [e for e in await claim(database, name, 60, 1) if e.event_id in ids]
        holders[name] = taken.event_id
    await end_leases_of_dead(database, mine)
    again = [e.event_id for e in await claim(database, "next", 60, 10) if e.event_id in ids]
    assert again == [holders[dead]]
    assert await end_leases_of_dead(database, mine) == 0


async def test_a_living_neighbour_keeps_its_work(database, tenant) -> None:
    """Another worker in a process that is there."""
    async with database.transaction(tenant) as connection:
        (event,) = await append_events(
            connection, "document.received", [(new_id(), {"version": 1, "size_bytes": 1})]
        )
    await claim(database, new_name(), 60, 10)
    await end_leases_of_dead(database, new_name())
    assert event not in [e.event_id for e in await claim(database, "next", 60, 10)]
