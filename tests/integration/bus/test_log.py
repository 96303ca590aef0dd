"""Reading on in the log costs what is new, however much there was before."""

import pytest

from knowlog.bus import CATALOGUE, Wanted, list_events
from knowlog.bus.log import _SQL, _place
from knowlog.database import Database, Scope

_MANY = """
insert into events (tenant_id, event_id, type, subject, data, state)
select tenant(), gen_random_uuid(), 'document.indexed', gen_random_uuid(), '{"version": 1, "chunks": 1}', 'none'
from generate_series(1, 20000)"""


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_a_page_is_read_from_the_index(
    database: Database, tenant: Scope, other_tenant: Scope, order: str
) -> None:
    """Behind a sequence, under the policy: the place in the log is found in the index, not by reading up to it."""
    async with database.transaction(tenant) as connection:
        await connection.execute(_MANY)
    async with database.transaction(other_tenant) as connection:
        await connection.execute(_MANY)
    async with database.owner() as owner:
        await owner.execute("analyze knowlog.events")
    async with database.transaction(tenant) as connection:
        assert len(await list_events(connection, tenant, Wanted(), order, 50)) == 50  # type: ignore[arg-type]
        last = (await list_events(connection, tenant, Wanted(), "newest", 3))[-1].sequence
        assert last
        asked = _SQL[order].split("\n", 1)[1] if _SQL[order].startswith("--") else _SQL[order]
        plan = await connection.fetch(
            f"explain (analyze, buffers) {asked}", *_place("f" * 16 + "7" + "f" * 15), list(CATALOGUE), None, None,
            *_place(last), 50,
        )  # fmt: skip
        text = "\n".join(row[0] for row in plan)
        found = await list_events(connection, tenant, Wanted(since=last), order, 50)  # type: ignore[arg-type]
    assert len(found) == 2
    assert "events_log" in text, text
    assert "Rows Removed by Filter" not in text, text
