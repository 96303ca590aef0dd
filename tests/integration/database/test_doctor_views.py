"""What `knowlog doctor` asks PostgreSQL."""

import pytest

from knowlog.bus import append_events
from knowlog.database import Database
from knowlog.kernel import new_id


async def test_work_for_later_is_told_from_what_is_due(database: Database, tenant) -> None:
    """A job that waits for a later try is not due, and not old."""
    async with database.transaction(tenant) as connection:
        await append_events(connection, "document.deleted", [(new_id(), {"blobs": []}) for _ in range(2)])
        await connection.execute(
            "update events set due_at = now() + interval '1 hour' where position = (select min(position) from events)"
        )
    async with database.system() as connection:
        rows = {row["type"]: row for row in await connection.fetch("select * from due_work()")}
    found = rows["document.deleted"]
    assert found["due"] >= 1
    assert found["later"] >= 1


async def test_what_waits_behind_another_is_for_later(database: Database, tenant) -> None:
    """A delivery behind one that is tried again in hours is nothing that a worker could take."""
    subject = new_id()
    async with database.transaction(tenant) as connection:
        await append_events(connection, "document.deleted", [(subject, {"blobs": []}) for _ in range(3)])
        await connection.execute(
            "update events set due_at = case when position ="
            " (select min(position) from events where subject = $1) then now() + interval '1 hour'"
            " else now() - interval '1 hour' end where subject = $1", subject,
        )  # fmt: skip
    async with database.system() as connection:
        rows = {row["type"]: row for row in await connection.fetch("select * from due_work()")}
    assert rows["document.deleted"]["later"] >= 3
    assert rows["document.deleted"]["oldest_s"] < 1800


@pytest.mark.parametrize("asked", [
    "due_work()", "source_troubles(5)", "rechunking_overview()", "thread_overview(365)", "summary_overview()",
    "own_model_places()",
])  # fmt: skip
async def test_the_owner_may_ask(database: Database, asked: str) -> None:
    """As the doctor does."""
    async with database.owner() as connection:
        await connection.execute("set role knowlog_system")
        await connection.fetch(f"select * from knowlog.{asked}")
