"""What `knowlog doctor` counts of conversations and summaries, on a real database that other tests use too."""

from typing import Any

from api_scene import Client

from knowlog.bootstrap import App
from knowlog.cli.doctor.places import told_by


async def seen(app: App, function: str, *given: Any) -> Any:
    """The one row of a function of the home."""
    (row,) = [rows[0] async for name, rows in told_by(app.settings, function, *given) if not name]
    return row


async def age(app: App, change: str, key: str) -> None:
    """Change a row as only time, or a failure, could."""
    async with app.database.owner() as connection:
        await connection.execute("set role knowlog_definer")
        await connection.execute(change, key)


async def test_a_thread_that_outlives_its_term_is_counted_until_a_worker_looks(
    app: App, alice: Client
) -> None:
    """By how much it does, too."""
    made = (await alice.post("/v1/threads", json={})).json()["thread_id"]
    before = await seen(app, "thread_overview", 365)
    await age(
        app, "update knowlog.threads set updated_at = now() - interval '366 days' where thread_id = $1", made
    )
    after = await seen(app, "thread_overview", 365)
    assert (after["threads"], after["overdue"]) == (before["threads"], before["overdue"] + 1)
    assert after["overdue_s"] >= 86_400
    async with app.database.system() as connection:
        await connection.execute("select forget_old_threads(365)")
    assert (await seen(app, "thread_overview", 365))["overdue"] == 0


async def test_summaries_are_counted_as_they_wait_and_as_they_fail(
    app: App, alice: Client, warranty: str
) -> None:
    """For good: one that was not made, and one of which no renewal is under way."""
    before = await seen(app, "summary_overview")
    asked = await alice.post("/v1/summaries", json={"document_id": warranty})
    summary_id = asked.json()["summary_id"]
    waiting = await seen(app, "summary_overview")
    event = "update knowlog.events set {} where subject = $1::uuid"
    await age(app, event.format("due_at = now() - interval '10 days'"), summary_id)
    late = await seen(app, "summary_overview")
    await age(app, event.format("state = 'failed', finished_at = now(), reason = 'No.'"), summary_id)
    failed = await seen(app, "summary_overview")
    assert waiting["waiting"] == before["waiting"] + 1
    assert waiting["summaries"] == before["summaries"] + 1
    assert late["oldest_s"] >= 10 * 86_400
    assert (failed["waiting"], failed["failed"]) == (before["waiting"], before["failed"] + 1)
