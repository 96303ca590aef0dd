"""Events reach webhooks: signed, at least once, in order for each document, and never where they must not go."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import delivery_scene
import pytest
from delivery_scene import happen, make, states, until, webhook_of
from receiver import OK
from standardwebhooks import WebhookVerificationError

from knowlog.bus import (
    Wish,
    append_events,
    cancel,
    claim,
    feed,
    get_delivery,
    get_webhook,
    list_deliveries,
    list_webhooks,
    replay_delivery,
    replay_since,
    rotate_secret,
    try_webhook,
    update_webhook,
)
from knowlog.kernel import new_id, now
from knowlog.kernel.errors import Invalid, NotFound
from knowlog.workers.deliveries import Deliverer

other_receiver, _allowed = delivery_scene.other_receiver, delivery_scene.allowed


async def test_an_event_arrives_signed(app, working, receiver, tenant) -> None:
    """The body is the event as the log has it, and the library of the standard takes the signature."""
    endpoint_id, secret = await make(app, tenant, receiver.url)
    (event_id,) = await happen(app, tenant)
    (taken,) = await receiver.until(1)
    assert taken.verify(secret)["id"] == taken.message_id == str(event_id)
    assert taken.headers["content-type"] == "application/cloudevents+json"
    assert taken.event["data"] == {"version": 1, "chunks": 0}
    await until(app, tenant, endpoint_id, {"done": 1})
    with pytest.raises(WebhookVerificationError):
        taken.verify("whsec_AAAA")
    assert secret not in repr(await webhook_of(app, tenant, endpoint_id))


async def test_only_what_is_wanted_arrives(app, working, receiver, other_receiver, tenant) -> None:
    """Types and collections are a webhook's own; what happened before it was made does not arrive."""
    handbook, other = new_id(), new_id()
    await happen(app, tenant, 3)
    await make(app, tenant, receiver.url, "document.indexed", collections=[handbook])
    await make(app, tenant, other_receiver.url, "document.deleted")
    await happen(app, tenant, collection=other)
    (wanted,) = await happen(app, tenant, collection=handbook)
    async with app.database.transaction(tenant) as connection:
        await append_events(connection, "document.deleted", [(new_id(), {"blobs": []})])
    await receiver.until(1)
    await other_receiver.until(1)
    await asyncio.sleep(0.7)
    assert [taken.message_id for taken in receiver.taken] == [str(wanted)]
    assert [taken.event["type"] for taken in other_receiver.taken] == ["document.deleted"]


async def test_another_tenants_events_do_not_arrive(app, working, receiver, tenant, other_tenant) -> None:
    """Alice's endpoint gets nothing of Charlie's, and he sees neither it nor its deliveries."""
    endpoint_id, _ = await make(app, tenant, receiver.url)
    await happen(app, other_tenant)
    await happen(app, tenant)
    await until(app, tenant, endpoint_id, {"done": 1})
    assert {taken.event["tenantid"] for taken in receiver.taken} == {str(tenant.tenant_id)}
    async with app.database.transaction(tenant) as connection:
        (made,) = await list_deliveries(connection, tenant, endpoint_id)
    async with app.database.transaction(other_tenant) as connection:
        assert await list_webhooks(connection, other_tenant) == []
        for attempt in (
            get_webhook(connection, other_tenant, endpoint_id),
            get_delivery(connection, other_tenant, endpoint_id, made.delivery_id),
            replay_delivery(connection, other_tenant, endpoint_id, made.delivery_id),
            replay_since(connection, other_tenant, endpoint_id, now()),
            rotate_secret(connection, other_tenant, endpoint_id, app.vault),
            try_webhook(connection, other_tenant, endpoint_id),
        ):
            with pytest.raises(NotFound):
                await attempt


async def test_a_private_address_is_not_called(app, working, receiver, tenant) -> None:
    """However it is written, and whatever the name meant when the webhook was made."""
    hosts = ("localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]", "169.254.169.254")
    endpoints = [(await make(app, tenant, f"http://{host}:{receiver.port}/"))[0] for host in hosts]
    await happen(app, tenant)
    for endpoint_id in endpoints:
        async with asyncio.timeout(60):
            while not (await states(app, tenant, endpoint_id)).get("failed"):
                await asyncio.sleep(0.02)
        async with app.database.transaction(tenant) as connection:
            (dead, *_) = await list_deliveries(connection, tenant, endpoint_id, "failed")
        assert "has no public address" in dead.reason
    assert receiver.taken == []


async def test_the_address_that_was_checked_is_the_one_that_is_called(app, receiver, tenant) -> None:
    """A name is asked for once, and the connection goes to the number; the endpoint is told the name."""
    asked: list[str] = []

    async def changing_its_mind(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    hosts = app.settings.webhooks.private_hosts | {"hooks.test"}
    settings = replace(
        app.settings, webhooks=app.settings.webhooks.model_copy(update={"private_hosts": hosts})
    )
    await make(app, tenant, f"http://hooks.test:{receiver.port}/")
    await happen(app, tenant, 2)
    await feed(app.database, settings.webhooks, "w")
    deliverer = Deliverer(replace(app, settings=settings), changing_its_mind)
    first, second = await claim(app.database, "w", 30, 2, ["delivery.requested"])
    await deliverer.deliver("w", [first])
    assert receiver.taken[0].headers["host"] == f"hooks.test:{receiver.port}"
    assert asked == ["hooks.test"]
    hosts -= {"hooks.test"}
    settings = replace(
        app.settings, webhooks=app.settings.webhooks.model_copy(update={"private_hosts": hosts})
    )
    asked.clear()
    await Deliverer(replace(app, settings=settings), changing_its_mind).deliver("w", [second])
    assert len(receiver.taken) == 1


async def test_what_was_cancelled_before_its_turn_is_not_sent(app, receiver, tenant) -> None:
    """Nor what another worker has taken over: the lease is asked for in the transaction that reads what is to be sent."""
    await make(app, tenant, receiver.url)
    *_, wanted = await happen(app, tenant, 3)
    await feed(app.database, app.settings.webhooks, "w")
    cancelled, lost, ours = await claim(app.database, "w", 30, 3, ["delivery.requested"])
    async with app.database.transaction(tenant) as connection:
        await cancel(connection, cancelled.event_id, "Cancelled by alice.")
        await connection.execute("update events set worker = 'other' where event_id = $1", lost.event_id)
    await Deliverer(app).deliver("w", [cancelled, lost, ours])
    assert [taken.message_id for taken in receiver.taken] == [str(wanted)]


async def test_order_is_kept_for_each_document(app, working, receiver, tenant) -> None:
    """Later events about a document wait for the earlier one's retries; other documents do not."""
    first, second = new_id(), new_id()
    refused: list[str] = []

    def once_refused(taken):
        if taken.message_id in refused or taken.event["subject"] != str(first):
            return OK
        refused.append(taken.message_id)
        return (500, {}, b"")

    receiver.answer = once_refused
    endpoint_id, _ = await make(app, tenant, receiver.url)
    await happen(app, tenant, 4, first)
    await happen(app, tenant, 4, second)
    await until(app, tenant, endpoint_id, {"done": 8})
    took = [each.event["data"]["chunks"] for each in receiver.taken if each.event["subject"] == str(first)]
    assert took == [0, 0, 1, 1, 2, 2, 3, 3]
    took = [each.event["data"]["chunks"] for each in receiver.taken if each.event["subject"] == str(second)]
    assert took == [0, 1, 2, 3]


async def test_two_secrets_are_good_after_a_rotation(app, working, receiver, tenant) -> None:
    """For a day; who holds the old one has time to change it."""
    endpoint_id, old = await make(app, tenant, receiver.url)
    async with app.database.transaction(tenant) as connection:
        _, new = await rotate_secret(connection, tenant, endpoint_id, app.vault)
    await happen(app, tenant)
    (taken,) = await receiver.until(1)
    assert taken.verify(old) == taken.verify(new)
    async with app.database.transaction(tenant) as connection:
        await connection.execute("update webhooks set old_secret_until = now()")
    await happen(app, tenant)
    (_, later) = await receiver.until(2)
    assert later.verify(new)
    with pytest.raises(WebhookVerificationError):
        later.verify(old)


async def test_a_test_reaches_its_webhook_alone(app, working, receiver, other_receiver, tenant) -> None:
    """Its event is in the log."""
    endpoint_id, secret = await make(app, tenant, receiver.url, "document.failed")
    await make(app, tenant, other_receiver.url)
    async with app.database.transaction(tenant) as connection:
        await try_webhook(connection, tenant, endpoint_id)
    (taken,) = await receiver.until(1)
    assert taken.verify(secret)["type"] == "webhook.tested"
    await asyncio.sleep(0.7)
    assert other_receiver.taken == []


async def test_all_since_a_moment_is_sent_again(app, working, receiver, tenant) -> None:
    """What was delivered before, and what happened while the webhook was disabled."""
    endpoint_id, _ = await make(app, tenant, receiver.url)
    await happen(app, tenant)
    await receiver.until(1)
    await asyncio.sleep(0.05)
    since = now()
    second = await happen(app, tenant)
    await receiver.until(2)
    async with app.database.transaction(tenant) as connection:
        await update_webhook(connection, tenant, endpoint_id, Wish(state="disabled"))
    missed = await happen(app, tenant, 2)
    async with app.database.transaction(tenant) as connection:
        await update_webhook(connection, tenant, endpoint_id, Wish(state="active"))
    await asyncio.sleep(0.7)
    assert len(receiver.taken) == 2
    async with app.database.transaction(tenant) as connection:
        with pytest.raises(Invalid, match="still to come"):
            await replay_since(connection, tenant, endpoint_id, now() + timedelta(hours=1))
        await replay_since(connection, tenant, endpoint_id, since)
    await receiver.until(5)
    await asyncio.sleep(0.5)
    assert sorted(each.message_id for each in receiver.taken[2:]) == sorted(map(str, second + missed))


async def test_a_late_commit_is_delivered(app, working, receiver, tenant) -> None:
    """An event whose transaction commits after a later one's is not passed over."""
    await make(app, tenant, receiver.url)
    async with app.database.transaction(tenant) as slow:
        (early,) = await append_events(slow, "document.indexed", [(new_id(), {"version": 1, "chunks": 1})])
        (later,) = await happen(app, tenant)
        await asyncio.sleep(1)
    taken = await receiver.until(2)
    assert {each.message_id for each in taken} == {str(early), str(later)}


async def test_a_strangers_long_transaction_delays_nothing(
    app, working, receiver, tenant, other_tenant
) -> None:
    """Another tenant writes and does not commit; this one's events are delivered meanwhile."""
    await make(app, tenant, receiver.url)
    async with app.database.transaction(other_tenant) as slow:
        await append_events(slow, "document.indexed", [(new_id(), {"version": 1, "chunks": 1})])
        (event_id,) = await happen(app, tenant)
        (taken,) = await receiver.until(1)  # while the stranger's transaction is open
    assert taken.message_id == str(event_id)


async def test_a_webhook_that_cannot_be_fed_holds_up_no_other(app, receiver, tenant, other_tenant) -> None:
    """Whatever is wrong with the rows of one tenant, another's deliveries are made in the same round."""
    await make(app, tenant, receiver.url)
    well, _ = await make(app, other_tenant, receiver.url)
    async with app.database.owner() as owner:
        await owner.execute(
            "alter table knowlog.events add constraint broken check (type <> 'delivery.requested'"
            f" or tenant_id <> '{tenant.tenant_id}') not valid"
        )
        try:
            await happen(app, tenant)
            await happen(app, other_tenant)
            assert await feed(app.database, app.settings.webhooks, "w") == 1
        finally:
            await owner.execute("alter table knowlog.events drop constraint broken")
    assert await states(app, other_tenant, well) == {"waiting": 1}
    assert await feed(app.database, app.settings.webhooks, "w") == 1


async def test_no_webhook_costs_nothing(app, tenant) -> None:
    """A tenant without webhooks has no delivery, and nobody looks at its events."""
    await happen(app, tenant, 10)
    assert await feed(app.database, app.settings.webhooks, "w") == 0
    async with app.database.transaction(tenant) as connection:
        assert not await connection.fetchval("select count(*) from events where type = 'delivery.requested'")
