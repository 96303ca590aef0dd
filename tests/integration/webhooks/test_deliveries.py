"""Events reach webhooks: signed, at least once, in order for each document, and never where they must not go."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from receiver import OK, Receiver
from standardwebhooks import WebhookVerificationError

from knowlog.bootstrap import App
from knowlog.bus import (
    Wish,
    append_events,
    claim,
    create_webhook,
    feed,
    get_delivery,
    get_webhook,
    list_deliveries,
    list_events,
    list_webhooks,
    replay_delivery,
    replay_since,
    rotate_secret,
    try_webhook,
    update_webhook,
)
from knowlog.bus.log import Wanted
from knowlog.database import Scope
from knowlog.kernel import new_id, now
from knowlog.kernel.errors import Conflict, NotFound
from knowlog.workers.deliveries import Deliverer


async def make(app: App, scope: Scope, url: str, *types: str, collections=None) -> tuple[UUID, str]:
    async with app.database.transaction(scope) as connection:
        wish = Wish(url, "", types or ("*",))
        webhook, secret = await create_webhook(
            connection, scope, wish, collections, app.settings.webhooks, app.vault
        )
    return webhook.endpoint_id, secret


async def happen(
    app: App, scope: Scope, count: int = 1, subject: UUID | None = None, collection=None
) -> list[UUID]:
    """Let documents be indexed, as far as the log is concerned."""
    data = {"version": 1, "chunks": 1} | ({"collection_id": collection} if collection else {})
    async with app.database.transaction(scope) as connection:
        items = [(subject or new_id(), data | {"chunks": n}) for n in range(count)]
        return await append_events(connection, "document.indexed", items)


async def states(app: App, scope: Scope, endpoint_id: UUID) -> dict[str, int]:
    async with app.database.transaction(scope) as connection:
        found: dict[str, int] = {}
        for each in await list_deliveries(connection, scope, endpoint_id, most=20_000):
            found[each.state] = found.get(each.state, 0) + 1
        return found


async def until(
    app: App, scope: Scope, endpoint_id: UUID, wanted: dict[str, int], seconds: float = 60
) -> None:
    found = None
    try:
        async with asyncio.timeout(seconds):
            while (found := await states(app, scope, endpoint_id)) != wanted:
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{found} is not {wanted}") from None


async def webhook_of(app: App, scope: Scope, endpoint_id: UUID):
    async with app.database.transaction(scope) as connection:
        return await get_webhook(connection, scope, endpoint_id)


@pytest.fixture
async def other_receiver() -> AsyncIterator[Receiver]:
    async with Receiver().serving() as server:
        yield server


@pytest.fixture(autouse=True)
def _allowed(app: App, receiver: Receiver, other_receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receivers' ports are among those that are called; they are free ones, known only now."""
    ports = app.settings.webhooks.ports | {receiver.port, other_receiver.port}
    settings = app.settings.webhooks.model_copy(update={"ports": ports})
    object.__setattr__(app, "settings", replace(app.settings, webhooks=settings))


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


async def test_a_private_address_is_not_called(app, working, receiver, tenant) -> None:
    """However it is written, and whatever the name meant when the webhook was made."""
    for host in ("localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]", "169.254.169.254"):
        endpoint_id, _ = await make(app, tenant, f"http://{host}:{receiver.port}/")
        await happen(app, tenant)
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
        await replay_since(connection, tenant, endpoint_id, since)
    await receiver.until(5)
    await asyncio.sleep(0.5)
    assert sorted(each.message_id for each in receiver.taken[2:]) == sorted(map(str, second + missed))


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


@pytest.mark.slow
@pytest.mark.timeout(420)
async def test_three_thousand_events_wait_for_an_endpoint_that_is_down(
    app, working, receiver, tenant
) -> None:
    """Down, they wait in the log and the queue stays short; up again, each arrives."""
    receiver.answer = lambda _: (503, {}, b"")
    endpoint_id, _ = await make(app, tenant, receiver.url)
    sent: list[UUID] = []
    for _ in range(3):
        sent += await happen(app, tenant, 1000)
    await receiver.until(10)
    assert sum((await states(app, tenant, endpoint_id)).values()) <= 2 * app.settings.webhooks.window
    receiver.answer = lambda _: OK
    seen: set[str] = set()
    async with asyncio.timeout(340):
        while len(seen) < 2700:
            await asyncio.sleep(0.5)
            seen = {each.message_id for each in receiver.taken}
        while True:
            found = await states(app, tenant, endpoint_id)
            if not found.get("waiting") and not found.get("running") and sum(found.values()) == 3_000:
                break
            await asyncio.sleep(0.5)
    async with app.database.transaction(tenant) as connection:
        for dead in await list_deliveries(connection, tenant, endpoint_id, "failed", most=20_000):
            await replay_delivery(connection, tenant, endpoint_id, dead.delivery_id)
    await until(app, tenant, endpoint_id, {"done": 3_000}, 60)
    assert {str(each) for each in sent} <= {each.message_id for each in receiver.taken}
