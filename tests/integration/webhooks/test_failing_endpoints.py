"""Endpoints that fail: deliveries are tried again, rest, and end; nobody else is held up."""

import asyncio
from datetime import timedelta
from uuid import UUID

import delivery_scene
import pytest
from delivery_scene import happen, make, states, until, webhook_of
from receiver import OK

from knowlog.bus import (
    Outcome,
    WantedJobs,
    Wish,
    append_events,
    claim,
    delete_webhook,
    get_job,
    get_webhook,
    list_deliveries,
    list_events,
    list_jobs,
    replay_delivery,
    retry,
    settle_delivery,
    try_webhook,
    update_webhook,
)
from knowlog.bus.deliveries import request_deliveries
from knowlog.bus.log import Wanted
from knowlog.documents import retry_dead_jobs
from knowlog.kernel import new_id, now
from knowlog.kernel.errors import Conflict

other_receiver, _allowed = delivery_scene.other_receiver, delivery_scene.allowed


async def test_a_failure_is_tried_again_with_the_same_id(app, working, receiver, tenant) -> None:
    """500 twice, then 200: three requests, one id, one delivery; the webhook is well again."""
    receiver.answer = lambda _: (
        (500, {}, b"no\x00thing works" + b"x" * 5000) if len(receiver.taken) < 3 else OK
    )
    endpoint_id, _ = await make(app, tenant, receiver.url)
    await happen(app, tenant)
    taken = await receiver.until(3)
    assert len({each.message_id for each in taken}) == 1
    await until(app, tenant, endpoint_id, {"done": 1})
    assert (await webhook_of(app, tenant, endpoint_id)).failures == 0


async def test_a_delivery_that_failed_too_often_stays_failed_and_can_be_replayed(
    app, working, receiver, tenant
) -> None:
    """After the last attempt it is dead, with the reason; replay sends it again, and once more when done. One id."""
    receiver.answer = lambda _: (500, {}, b"no\x00thing works" + b"x" * 5000)
    endpoint_id, _ = await make(app, tenant, receiver.url)
    await happen(app, tenant)
    await until(app, tenant, endpoint_id, {"failed": 1})
    assert len(receiver.taken) == 4
    async with app.database.transaction(tenant) as connection:
        (dead,) = await list_deliveries(connection, tenant, endpoint_id)
        assert dead.reason.startswith("The endpoint answered with status 500: no thing worksx")
        assert len(dead.reason) < 1100
    receiver.answer = lambda _: OK
    async with app.database.transaction(tenant) as connection:
        await replay_delivery(connection, tenant, endpoint_id, dead.delivery_id)
    await until(app, tenant, endpoint_id, {"done": 1})
    async with app.database.transaction(tenant) as connection:
        await replay_delivery(connection, tenant, endpoint_id, dead.delivery_id)
    await until(app, tenant, endpoint_id, {"done": 2})
    assert len({each.message_id for each in receiver.taken}) == 1


async def dead_jobs(app, tenant) -> list[UUID]:
    async with app.database.transaction(tenant) as connection:
        return [job.job_id for job in await list_jobs(connection, WantedJobs("dead"))]


async def test_each_delivery_that_failed_is_dead_also_where_a_later_one_was_asked_about_the_same_document(
    app, working, receiver, tenant
) -> None:
    """A later event does not stand for an earlier one: `retry` of all that is dead sends both."""
    receiver.answer = lambda _: (410, {}, b"")
    endpoint_id, _ = await make(app, tenant, receiver.url)
    happened = await happen(app, tenant, 2, new_id())  # at one moment: the first answer disables the webhook
    await until(app, tenant, endpoint_id, {"failed": 2})
    assert len(await dead_jobs(app, tenant)) == 2
    receiver.answer = lambda _: OK
    async with app.database.transaction(tenant) as connection:
        await update_webhook(connection, tenant, endpoint_id, Wish(state="active"))
        assert await retry_dead_jobs(connection, WantedJobs("dead"), 10) == 2
    await until(app, tenant, endpoint_id, {"done": 2})
    assert {each.message_id for each in receiver.taken[-2:]} == {str(each) for each in happened}
    assert await dead_jobs(app, tenant) == []


async def test_what_failed_for_a_webhook_that_was_deleted_is_not_dead_for_ever(
    app, working, receiver, tenant
) -> None:
    """It is cancelled with the webhook, and so it ends when somebody tries it again."""
    receiver.answer = lambda _: (410, {}, b"")
    endpoint_id, _ = await make(app, tenant, receiver.url)
    await happen(app, tenant)
    await until(app, tenant, endpoint_id, {"failed": 1})
    (dead,) = await dead_jobs(app, tenant)
    async with app.database.transaction(tenant) as connection:
        await delete_webhook(connection, tenant, endpoint_id)
    assert await dead_jobs(app, tenant) == []
    async with app.database.transaction(tenant) as connection:
        await retry(connection, dead)
    async with asyncio.timeout(30), app.database.transaction(tenant) as connection:
        while (job := await get_job(connection, dead)).state in ("waiting", "running"):
            await asyncio.sleep(0.02)
    assert (job.state, job.reason) == ("cancelled", "The webhook was deleted.")


async def test_410_disables_at_once(app, working, receiver, tenant) -> None:
    """The endpoint says that it wants nothing any more; the log says so too."""
    receiver.answer = lambda _: (410, {}, b"")
    endpoint_id, _ = await make(app, tenant, receiver.url)
    await happen(app, tenant, 3)
    await receiver.until(1)
    async with asyncio.timeout(60):
        while (found := await webhook_of(app, tenant, endpoint_id)).state != "disabled":
            await asyncio.sleep(0.02)
    assert "410" in found.reason
    await asyncio.sleep(0.5)
    assert set(await states(app, tenant, endpoint_id)) == {"failed"}
    asked = len(receiver.taken)
    await happen(app, tenant)
    await asyncio.sleep(0.8)
    assert len(receiver.taken) == asked
    async with app.database.transaction(tenant) as connection:
        (told,) = await list_events(connection, tenant, Wanted(["webhook.disabled"]), "newest", 5)
        with pytest.raises(Conflict):
            await try_webhook(connection, tenant, endpoint_id)
    assert told.subject == endpoint_id


async def test_retry_after_is_honoured(app, working, receiver, tenant) -> None:
    """An endpoint that asks for a second is left alone for a second; one that asks for a day waits in the queue."""
    receiver.answer = lambda _: (429, {"retry-after": "1"}, b"") if len(receiver.taken) == 1 else OK
    endpoint_id, _ = await make(app, tenant, receiver.url)
    begun = asyncio.get_running_loop().time()
    await happen(app, tenant)
    await receiver.until(2)
    assert asyncio.get_running_loop().time() - begun >= 1
    await until(app, tenant, endpoint_id, {"done": 1})
    receiver.answer = lambda _: (503, {"retry-after": "9999999"}, b"")
    await happen(app, tenant)
    await receiver.until(3)
    await until(app, tenant, endpoint_id, {"done": 1, "waiting": 1})
    async with app.database.transaction(tenant) as connection:
        (waits, _) = await list_deliveries(connection, tenant, endpoint_id)
    assert timedelta(hours=23) < waits.due_at - now() <= timedelta(hours=24)


async def test_redirects_are_not_followed(app, working, receiver, other_receiver, tenant) -> None:
    """Neither to another endpoint nor into the network that the server stands in."""
    receiver.answer = lambda _: (307, {"location": other_receiver.url}, b"")
    endpoint_id, _ = await make(app, tenant, receiver.url)
    await happen(app, tenant)
    await until(app, tenant, endpoint_id, {"failed": 1})
    async with app.database.transaction(tenant) as connection:
        (dead,) = await list_deliveries(connection, tenant, endpoint_id)
    assert dead.reason == "The endpoint answered with status 307, and redirects are not followed."
    assert other_receiver.taken == []


async def test_a_webhook_says_why_its_endpoint_fails_until_it_works_again(
    app, working, receiver, tenant
) -> None:
    """The reason of the last failure stands at the webhook itself; the next success removes it."""
    receiver.answer = lambda _: (307, {}, b"")
    endpoint_id, _ = await make(app, tenant, receiver.url)
    await happen(app, tenant)
    await until(app, tenant, endpoint_id, {"failed": 1})
    async with app.database.transaction(tenant) as connection:
        failing = await get_webhook(connection, tenant, endpoint_id)
    assert failing.state == "active"
    assert failing.reason == "The endpoint answered with status 307."
    receiver.answer = lambda _: (200, {}, b"")
    await happen(app, tenant)
    await until(app, tenant, endpoint_id, {"failed": 1, "done": 1})
    async with app.database.transaction(tenant) as connection:
        assert (await get_webhook(connection, tenant, endpoint_id)).reason is None


async def test_an_endpoint_that_hangs_holds_up_nobody(
    app, working, receiver, other_receiver, tenant, other_tenant
):
    """Alice's endpoint accepts and says nothing. Charlie's events, and everybody's documents, go on."""
    receiver.hang = True
    hanging, _ = await make(app, tenant, receiver.url)
    well, _ = await make(app, other_tenant, other_receiver.url)
    await happen(app, tenant, 100)
    await receiver.until(8)
    begun = asyncio.get_running_loop().time()
    await happen(app, other_tenant, 50)
    async with app.database.transaction(tenant) as connection:
        await append_events(connection, "document.deleted", [(new_id(), {"blobs": []})])
    await other_receiver.until(50)
    assert asyncio.get_running_loop().time() - begun < 15
    await until(app, other_tenant, well, {"done": 50})
    async with app.database.transaction(tenant) as connection:
        while await connection.fetchval("select state from events where type = 'document.deleted'") != "done":
            await asyncio.sleep(0.02)
    async with asyncio.timeout(60):
        while not (await webhook_of(app, tenant, hanging)).failures:
            await asyncio.sleep(0.02)


async def test_a_webhook_that_fails_for_too_long_is_disabled(app, working, receiver, tenant) -> None:
    """Five days by default."""
    receiver.answer = lambda _: (500, {}, b"")
    endpoint_id, _ = await make(app, tenant, receiver.url)
    await happen(app, tenant)
    await receiver.until(1)
    async with app.database.transaction(tenant) as connection:
        await connection.execute(
            "update webhooks set failing_since = now() - interval '6 days', failures = 1"
        )
    await happen(app, tenant)
    async with asyncio.timeout(60):
        while (found := await webhook_of(app, tenant, endpoint_id)).state != "disabled":
            await asyncio.sleep(0.02)
    assert found.reason.startswith("The endpoint has taken nothing since")
    async with app.database.system() as connection:
        health = await connection.fetchrow("select * from webhook_health()")
    assert health["disabled"] == 1


async def test_an_endpoint_that_fails_again_and_again_has_a_rest(app, working, receiver, tenant) -> None:
    """After many failures in a row the other deliveries are put off, and no attempt of theirs is counted."""
    receiver.answer = lambda _: (500, {}, b"")
    endpoint_id, _ = await make(app, tenant, receiver.url)
    async with app.database.transaction(tenant) as connection:
        await connection.execute("update webhooks set failures = 200, failing_since = now()")
    await happen(app, tenant, 1)
    await receiver.until(1)
    await asyncio.sleep(0.3)
    await happen(app, tenant, 50)
    await asyncio.sleep(2)
    await until(app, tenant, endpoint_id, {"waiting": 51})
    assert len(receiver.taken) == 1
    async with app.database.transaction(tenant) as connection:
        resting = await list_deliveries(connection, tenant, endpoint_id, most=100)
    assert {each.attempts for each in resting} == {0, 1}
    assert all(each.due_at > now() + timedelta(minutes=4) for each in resting)


async def test_all_that_wait_for_a_dead_endpoint_are_put_off_together(app, receiver, tenant) -> None:
    """One by one, ten thousand of them kept a core busy. An admin who makes the webhook active ends the rest."""
    endpoint_id, _ = await make(app, tenant, receiver.url)
    async with app.database.transaction(tenant) as connection:
        await connection.execute("update webhooks set failures = 200, failing_since = now()")
        items = [(new_id(), "document.indexed", new_id()) for _ in range(30)]
        await request_deliveries(connection, endpoint_id, items)
    (begun,) = await claim(app.database, "w", 60, 1, ["delivery.requested"])
    async with app.database.transaction(tenant) as connection:
        await settle_delivery(connection, "w", begun, Outcome(False, "refused"), app.settings.webhooks)
        waiting = await list_deliveries(connection, tenant, endpoint_id, "waiting", most=100)
    assert len(waiting) == 30
    assert sum(each.due_at > now() + timedelta(minutes=4) for each in waiting) >= 29
    async with app.database.transaction(tenant) as connection:
        await update_webhook(connection, tenant, endpoint_id, Wish(state="active"))
        waiting = await list_deliveries(connection, tenant, endpoint_id, "waiting", most=100)
    assert all(each.due_at <= now() for each in waiting)


@pytest.mark.slow
@pytest.mark.timeout(420)
async def test_five_windows_of_events_wait_for_an_endpoint_that_is_down(
    app, working, receiver, tenant
) -> None:
    """Down, they wait in the log and the queue stays short; up again, each arrives."""
    count = 5 * app.settings.webhooks.window
    receiver.answer = lambda _: (503, {}, b"")
    endpoint_id, _ = await make(app, tenant, receiver.url)
    sent: list[UUID] = await happen(app, tenant, count)
    await receiver.until(10)
    assert sum((await states(app, tenant, endpoint_id)).values()) <= 2 * app.settings.webhooks.window
    receiver.answer = lambda _: OK
    seen: set[str] = set()
    async with asyncio.timeout(340):
        while len(seen) < 0.9 * count:
            await asyncio.sleep(0.2)
            seen = {each.message_id for each in receiver.taken}
        while True:
            found = await states(app, tenant, endpoint_id)
            if not found.get("waiting") and not found.get("running") and sum(found.values()) == count:
                break
            await asyncio.sleep(0.2)
    async with app.database.transaction(tenant) as connection:
        for dead in await list_deliveries(connection, tenant, endpoint_id, "failed", most=20_000):
            await replay_delivery(connection, tenant, endpoint_id, dead.delivery_id)
    await until(app, tenant, endpoint_id, {"done": count}, 60)
    assert {str(each) for each in sent} <= {each.message_id for each in receiver.taken}
