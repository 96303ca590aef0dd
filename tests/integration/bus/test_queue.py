"""The queue in PostgreSQL: fair, in order, fenced, and never done twice."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from knowlog.bus import (
    Event,
    LeaseLost,
    Turn,
    announce,
    append_events,
    cancel,
    claim,
    claim_announced,
    claim_orphans,
    complete,
    fail,
    get_job,
    keep_leases,
    retry,
)
from knowlog.database import Database, Scope, load_queries
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict, NotFound
from knowlog.tenants import create_tenant, delete_tenant, set_weight

TYPES = ["document.received"]
DATA = {"version": 1, "size_bytes": 1}
SQL = load_queries("knowlog.bus")


@pytest.fixture(autouse=True)
async def _alone(database: Database):
    """Other tests' leftovers are out of the way: the queue is one for all tenants."""
    async with database.owner() as owner:
        await owner.execute(
            "set role knowlog_definer; delete from knowlog.events where state in ('waiting', 'running')"
        )


async def put(database: Database, scope: Scope, subjects: Sequence[UUID]) -> list[UUID]:
    async with database.transaction(scope) as connection:
        return await append_events(connection, TYPES[0], [(each, DATA) for each in subjects])


async def finish(database: Database, scope: Scope, worker: str, events: Sequence[Event]) -> None:
    async with database.transaction(scope) as connection:
        await complete(connection, worker, events)


async def test_tenants_share_a_claim(database, tenant, other_tenant) -> None:
    """One tenant's ten thousand do not keep another's single event out of the next claim."""
    await put(database, tenant, [new_id() for _ in range(1000)])
    await put(database, other_tenant, [new_id()])
    taken = await claim(database, "w", 30, 20, TYPES)
    assert len(taken) == 20
    assert Counter(e.tenant_id for e in taken)[other_tenant.tenant_id] == 1


async def test_shares_follow_weights(database, tenant, other_tenant) -> None:
    """A tenant of weight three gets three quarters of a claim, when both have enough waiting."""
    await set_weight(database, other_tenant.tenant_id, 3)
    for scope in (tenant, other_tenant):
        await put(database, scope, [new_id() for _ in range(100)])
    taken = Counter(e.tenant_id for e in await claim(database, "w", 30, 40, TYPES))
    assert taken == {tenant.tenant_id: 10, other_tenant.tenant_id: 30}


async def test_with_more_tenants_than_room_each_has_its_turn(database) -> None:
    """Claims go round in a circle."""
    scopes = [Scope((await create_tenant(database, f"t{n}")).tenant_id, "t") for n in range(9)]
    for scope in scopes:
        await put(database, scope, [new_id() for _ in range(3)])
    turn, seen = Turn(), []
    for _ in range(9):
        seen += [e.tenant_id for e in await claim(database, "w", 30, 3, TYPES, turn=turn)]
    assert Counter(seen) == {scope.tenant_id: 3 for scope in scopes}
    assert set(seen[:9]) == {scope.tenant_id for scope in scopes}


async def test_of_many_tenants_few_get_several_events_each(database) -> None:
    """What is handled of one tenant together costs one transaction; the next claims go to the others."""
    scopes = [Scope((await create_tenant(database, f"t{n}")).tenant_id, "t") for n in range(16)]
    for scope in scopes:
        await put(database, scope, [new_id() for _ in range(6)])
    turn = Turn()
    first = Counter(e.tenant_id for e in await claim(database, "w", 30, 48, TYPES, turn=turn))
    assert first == {scope.tenant_id: 4 for scope in scopes[:12]}
    second = Counter(e.tenant_id for e in await claim(database, "w", 30, 48, TYPES, turn=turn))
    assert all(second[scope.tenant_id] == 6 for scope in scopes[12:])


async def test_a_newcomer_is_found_behind_tenants_of_which_there_is_enough(database) -> None:
    """They do not count, however little is asked for; and who comes behind those that have nothing due is found, too."""
    scopes = [Scope((await create_tenant(database, f"t{n}")).tenant_id, "t") for n in range(40)]
    for scope in scopes:
        await put(database, scope, [new_id()])
    enough, later, last = scopes[:20], scopes[20:-1], scopes[-1].tenant_id
    async with database.owner() as owner:
        await owner.execute(
            "update knowlog.events set due_at = now() + interval '1 hour' where tenant_id = any($1)",
            [scope.tenant_id for scope in later],
        )
        asked = "select tenant_id from knowlog.claim_events('w', '1 min', {}, $1, '{{}}', $2, '{}')"
        skip, start = [scope.tenant_id for scope in enough], scopes[18].tenant_id
        await owner.execute("set role knowlog_system")
        assert await owner.fetch(asked.format(19, start), TYPES, skip) == []
        assert [row[0] for row in await owner.fetch(asked.format(20, start), TYPES, skip)] == [last]
    await put(database, scopes[-1], [new_id()])
    taken = await claim(database, "w", 30, 1, TYPES, skip=skip, turn=Turn(start))
    assert [event.tenant_id for event in taken] == [last]


async def test_completing_reads_what_is_completed_and_not_what_waits(database, tenant) -> None:
    """While the planner knows of some that wait, and not yet of the burst behind them."""
    await put(database, tenant, [new_id() for _ in range(100)])
    async with database.owner() as owner:
        await owner.execute("analyze knowlog.events")
    await put(database, tenant, [new_id() for _ in range(300)])
    taken = await claim(database, "w", 30, 2, TYPES)
    held = [e.event_id for e in taken], "w", [e.attempts for e in taken]
    async with database.transaction(tenant) as connection:
        rows = await connection.fetch(f"explain (analyze, timing off) {SQL['complete']}", *held)
    plan = "\n".join(row[0] for row in rows)
    assert "events_pkey" in plan
    assert "Rows Removed by Filter" not in plan


async def test_tenants_whose_work_is_for_later_are_passed_by(database) -> None:
    """Many that wait for their next attempts do not keep the one behind them from being served."""
    scopes = [Scope((await create_tenant(database, f"t{n}")).tenant_id, "t") for n in range(8)]
    for scope in scopes:
        await put(database, scope, [new_id()])
    last = max(scope.tenant_id for scope in scopes)
    async with database.owner() as owner:
        await owner.execute(
            "update knowlog.events set due_at = now() + interval '1 hour' where state = 'waiting' and tenant_id <> $1",
            last,
        )
    assert [event.tenant_id for event in await claim(database, "w", 30, 3, TYPES)] == [last]
    assert await claim(database, "w", 30, 3, TYPES) == []


async def test_skipped_tenants_get_nothing(database, tenant, other_tenant) -> None:
    """A worker that has enough of one tenant asks for the others'."""
    await put(database, tenant, [new_id() for _ in range(5)])
    await put(database, other_tenant, [new_id()])
    taken = await claim(database, "w", 30, 20, TYPES, skip=[tenant.tenant_id])
    assert {e.tenant_id for e in taken} == {other_tenant.tenant_id}


async def test_events_of_one_subject_come_one_by_one_in_order(database, tenant) -> None:
    """The second is not to be had before the first is done."""
    subject = new_id()
    ids = await put(database, tenant, [subject, subject, subject])
    seen = []
    for _ in ids:
        (event,) = await claim(database, "w", 30, 10, TYPES)
        assert await claim(database, "other", 30, 10, TYPES) == []
        seen.append(event.event_id)
        await finish(database, tenant, "w", [event])
    assert seen == ids


async def test_many_workers_never_share_an_event(database, tenant) -> None:
    """Claims at the same time are disjoint, and together complete."""
    ids = await put(database, tenant, [new_id() for _ in range(200)])

    async def work(name: str) -> list[UUID]:
        mine: list[UUID] = []
        while events := await claim(database, name, 30, 7, TYPES):
            mine += [e.event_id for e in events]
            await finish(database, tenant, name, events)
        return mine

    taken = [each for mine in await asyncio.gather(*(work(f"w{n}") for n in range(6))) for each in mine]
    assert sorted(taken) == sorted(ids)


async def test_a_dead_workers_event_is_taken_over_and_it_cannot_commit(database, tenant) -> None:
    """After its lease the event is another's; the first, should it wake, is fenced off, also under the same name."""
    await put(database, tenant, [new_id()])
    (event,) = await claim(database, "same-name", 0.05, 10, TYPES)
    await asyncio.sleep(0.1)
    (again,) = await claim(database, "same-name", 30, 10, TYPES)
    assert (again.event_id, again.attempts) == (event.event_id, 2)
    with pytest.raises(LeaseLost):
        await finish(database, tenant, "same-name", [event])
    await finish(database, tenant, "same-name", [again])


async def test_heartbeats_keep_leases_and_tell_what_is_lost(database, tenant) -> None:
    """Cancelled, deleted and taken-over work is named; what is still held is prolonged."""
    ids = await put(database, tenant, [new_id(), new_id()])
    events = await claim(database, "w", 0.2, 10, TYPES)
    async with database.transaction(tenant) as connection:
        await cancel(connection, ids[0], "not wanted")
    assert await keep_leases(database, "w", 30, [e.event_id for e in events]) == {ids[0]}
    await asyncio.sleep(0.3)
    assert await claim(database, "other", 30, 10, TYPES) == []


async def test_a_heartbeat_writes_only_leases_of_which_much_is_gone(database, tenant) -> None:
    """Of 30 s nothing is gone: the row stays as it is. Of a minute half is: it is prolonged."""
    await put(database, tenant, [new_id()])
    (event,) = await claim(database, "w", 30, 1, TYPES)
    ends = [await lease_of(database, event.event_id)]
    for lease_s in (30, 60):
        assert await keep_leases(database, "w", lease_s, [event.event_id]) == set()
        ends.append(await lease_of(database, event.event_id))
    assert ends[1] == ends[0]
    assert ends[2] - ends[0] > timedelta(seconds=25)


async def lease_of(database: Database, event_id: UUID) -> datetime:
    """When a lease ends."""
    async with database.owner() as owner:
        return await owner.fetchval("select lease_until from knowlog.events where event_id = $1", event_id)


async def test_cancelled_work_cannot_commit_and_can_be_retried(database, tenant) -> None:
    """Cancelling wins over the running worker; a second cancel is refused, a retry puts it back."""
    (job_id,) = await put(database, tenant, [new_id()])
    (event,) = await claim(database, "w", 30, 10, TYPES)
    async with database.transaction(tenant) as connection:
        job = await cancel(connection, job_id, "not wanted")
    assert (job.state, job.reason) == ("cancelled", "not wanted")
    with pytest.raises(LeaseLost):
        await finish(database, tenant, "w", [event])
    async with database.transaction(tenant) as connection:
        with pytest.raises(Conflict):
            await cancel(connection, job_id, "again")
        assert (await retry(connection, job_id)).state == "waiting"


async def test_a_failed_attempt_waits_and_the_last_one_stays_failed(database, tenant) -> None:
    """With a delay the event comes again; without, its cause stands there for people."""
    (job_id,) = await put(database, tenant, [new_id()])
    (event,) = await claim(database, "w", 30, 10, TYPES)
    async with database.transaction(tenant) as connection:
        await fail(connection, "w", event, "busy", 0.05)
    assert await claim(database, "w", 30, 10, TYPES) == []
    await asyncio.sleep(0.1)
    (event,) = await claim(database, "w", 30, 10, TYPES)
    async with database.transaction(tenant) as connection:
        await fail(connection, "w", event, "broken", None)
        job = await get_job(connection, job_id)
    assert (job.state, job.reason, job.attempts) == ("failed", "broken", 2)


async def test_another_tenants_job_cannot_be_cancelled(database, tenant, other_tenant) -> None:
    """It looks absent."""
    (job_id,) = await put(database, tenant, [new_id()])
    async with database.transaction(other_tenant) as connection:
        with pytest.raises(NotFound):
            await cancel(connection, job_id, "mine now")


async def announced(database: Database, **options) -> list[Event]:
    asked = {"window": 1000, "quiet_s": 20, "turn": Turn()} | options
    async with database.system() as connection:
        return await announce(connection, 100, TYPES, **asked)


async def test_an_event_is_announced_once_until_it_is_overdue(database, tenant) -> None:
    """The broker is told once; what nobody takes up is told again."""
    ids = await put(database, tenant, [new_id()])
    assert [e.event_id for e in await announced(database)] == ids
    assert await announced(database) == []
    await asyncio.sleep(0.1)
    assert [e.event_id for e in await announced(database, quiet_s=0.05)] == ids


async def test_an_announcement_that_was_not_published_is_not_remembered(database, tenant) -> None:
    """When the transaction of the relay is rolled back, the event is announced anew."""
    ids = await put(database, tenant, [new_id()])

    async def crash() -> None:
        async with database.system() as connection:
            await announce(connection, 100, TYPES, window=1000, quiet_s=20, turn=Turn())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await crash()
    assert [e.event_id for e in await announced(database)] == ids


async def test_the_window_bounds_what_waits_in_the_broker(database, tenant, other_tenant) -> None:
    """The long queue stays in the outbox, where tenants take turns."""
    await put(database, tenant, [new_id() for _ in range(100)])
    assert len(await announced(database, window=40)) == 10, "a quarter is one tenant's"
    assert await announced(database, window=40) == []
    first = await announced(database, window=56)  # by now it has less than its share
    assert len(first) == 14
    await put(database, other_tenant, [new_id()])
    assert other_tenant.tenant_id in {e.tenant_id for e in await announced(database, window=56)}


async def test_an_announced_event_is_claimed_once(database, tenant) -> None:
    """A repeated, late or forged announcement has no effect."""
    await put(database, tenant, [new_id()])
    (event,) = await announced(database)
    named = [(event.tenant_id, event.event_id)]
    (taken,) = await claim_announced(database, "w", 30, named)
    assert await claim_announced(database, "other", 30, named) == []
    await finish(database, tenant, "w", [taken])
    assert await claim_announced(database, "other", 30, [*named, (tenant.tenant_id, uuid4())]) == []


async def test_a_claim_waits_for_the_relay_that_is_about_to_commit(database, tenant) -> None:
    """The message may be quicker than the commit of the transaction that published it."""
    await put(database, tenant, [new_id()])
    async with database.system() as connection:
        (event,) = await announce(connection, 100, TYPES, window=1000, quiet_s=20, turn=Turn())
        claiming = asyncio.create_task(
            claim_announced(database, "w", 30, [(event.tenant_id, event.event_id)])
        )
        await asyncio.sleep(0.1)
        assert not claiming.done()
    assert len(await claiming) == 1


async def test_an_orphaned_event_is_announced_again(database, tenant) -> None:
    """When the lease of a dead worker has run out, the broker is told."""
    await put(database, tenant, [new_id()])
    (event,) = await announced(database)
    await claim_announced(database, "dead", 0.05, [(event.tenant_id, event.event_id)])
    assert await announced(database) == []
    await asyncio.sleep(0.1)
    assert [e.event_id for e in await announced(database)] == [event.event_id]


async def test_a_deleted_tenant_leaves_no_work(database) -> None:
    """Its events go with it, also those that run."""
    scope = Scope((await create_tenant(database, "gone")).tenant_id, "t")
    await put(database, scope, [new_id(), new_id()])
    taken = await claim(database, "w", 30, 1, TYPES)
    await delete_tenant(database, scope.tenant_id)
    assert await claim(database, "w", 30, 10, TYPES) == []
    assert await keep_leases(database, "w", 30, [taken[0].event_id]) == {taken[0].event_id}


async def test_orphans_are_claimed_and_nothing_else(database, tenant) -> None:
    """Without any announcement; what waits or is held is left alone."""
    await put(database, tenant, [new_id(), new_id(), new_id()])
    (orphan,) = await claim(database, "dead", 0.05, 1, TYPES)
    await claim(database, "living", 30, 1, TYPES)
    await asyncio.sleep(0.1)
    taken = await claim_orphans(database, "w", 30, 10, TYPES, held=[])
    assert [(e.event_id, e.attempts) for e in taken] == [(orphan.event_id, 2)]
    assert await claim_orphans(database, "w", 30, 10, TYPES, held=[]) == []
