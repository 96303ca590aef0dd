"""What every store of the meters promises: never more than the quota in a window, whoever asks how often at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import pytest

from knowlog.database import Database, Scope
from knowlog.kernel import new_id
from knowlog.tenants.adapters.redis import RedisMeter
from knowlog.tenants.limits import THE_TENANT
from knowlog.tenants.meters import Ask, Meter, PostgresMeter
from servers import running_server


@pytest.fixture(scope="module", params=["postgresql", "redis"])
async def meter(request, database: Database) -> AsyncIterator[Meter]:
    if request.param == "postgresql":
        yield PostgresMeter(database)
        return
    with running_server("redis") as server:
        made = RedisMeter(server.url)
        yield made
        await made.close()


def ask(scope: Scope, *quotas: tuple[UUID, int], least: int = 1, most: int = 1, window_s: int = 60) -> Ask:
    return Ask(scope.tenant_id, "requests", quotas, least, most, window_s)


async def test_a_quota_is_granted_and_then_no_more(meter: Meter, tenant: Scope) -> None:
    """The refusal says after how long it is worth to ask: within a window and its twelfth."""
    for left in (2, 1, 0):
        grant = await meter.take(ask(tenant, (THE_TENANT, 3)))
        assert (grant.granted, grant.remaining) == (1, (left,))
    refused = await meter.take(ask(tenant, (THE_TENANT, 3)))
    assert (refused.granted, refused.remaining) == (0, (0,))
    assert refused.wait_s is not None
    assert 50 < refused.wait_s <= 65


async def test_many_at_once_get_exactly_the_quota(meter: Meter, tenant: Scope) -> None:
    grants = await asyncio.gather(*(meter.take(ask(tenant, (THE_TENANT, 37), most=2)) for _ in range(100)))
    assert sum(each.granted for each in grants) == 37


async def test_what_is_asked_in_bulk_is_all_or_nothing_down_to_the_least(meter: Meter, tenant: Scope) -> None:
    """Seven of ten are there: ten at least are refused and take nothing, five to ten are seven."""
    await meter.take(ask(tenant, (THE_TENANT, 10), least=3, most=3))
    assert (await meter.take(ask(tenant, (THE_TENANT, 10), least=10, most=10))).granted == 0
    assert (await meter.take(ask(tenant, (THE_TENANT, 10), least=5, most=10))).granted == 7


async def test_tenant_and_key_are_taken_from_together(meter: Meter, tenant: Scope) -> None:
    """Two keys of one tenant do not get more than the tenant; a key that is refused takes nothing from its tenant."""
    one, other = new_id(), new_id()
    assert (await meter.take(ask(tenant, (THE_TENANT, 5), (one, 3), most=9))).granted == 3
    assert (await meter.take(ask(tenant, (THE_TENANT, 5), (one, 3)))).granted == 0
    assert (await meter.take(ask(tenant, (THE_TENANT, 5), (other, 3), most=9))).granted == 2
    assert (await meter.take(ask(tenant, (THE_TENANT, 5), (other, 3)))).granted == 0


async def test_what_a_window_ago_was_taken_is_there_again(meter: Meter, tenant: Scope) -> None:
    """Not before, and at the moment that was told."""
    short = ask(tenant, (THE_TENANT, 4), most=9, window_s=1)
    assert (await meter.take(short)).granted == 4
    refused = await meter.take(short)
    assert refused.wait_s is not None
    await asyncio.sleep(refused.wait_s / 2)
    assert (await meter.take(short)).granted == 0
    await asyncio.sleep(refused.wait_s / 2 + 0.05)
    assert (await meter.take(short)).granted == 4


async def test_in_no_window_more_than_the_quota_is_taken(meter: Meter, tenant: Scope) -> None:
    """Asked for as fast as can be over three windows: no second holds more, and most of the quota is used."""
    taken: list[float] = []
    loop = asyncio.get_running_loop()
    wanted = ask(tenant, (THE_TENANT, 20), window_s=1)
    end = loop.time() + 3
    while loop.time() < end:
        before = loop.time()
        if (await meter.take(wanted)).granted:
            taken.append((before + loop.time()) / 2)
        await asyncio.sleep(0.002)
    most = max(sum(start <= each < start + 0.95 for each in taken) for start in taken)
    assert most <= 20
    assert len(taken) >= 40


async def test_a_larger_wish_than_the_quota_is_never_granted(meter: Meter, tenant: Scope) -> None:
    assert (await meter.take(ask(tenant, (THE_TENANT, 4), least=5, most=5))).wait_s is None
    assert (await meter.take(ask(tenant, (THE_TENANT, 0)))).wait_s is None


async def test_looking_takes_nothing(meter: Meter, tenant: Scope) -> None:
    await meter.take(ask(tenant, (THE_TENANT, 5), most=2))
    for _ in range(3):
        assert (await meter.take(ask(tenant, (THE_TENANT, 5), least=0, most=0))).remaining == (3,)


async def test_a_lowered_quota_holds_at_once(meter: Meter, tenant: Scope) -> None:
    """What was used before counts; nothing below nought is left."""
    wanted = ask(tenant, (THE_TENANT, 100), most=50)
    await meter.take(wanted)
    lowered = await meter.take(replace(wanted, quotas=((THE_TENANT, 10),), least=1, most=1))
    assert (lowered.granted, lowered.remaining) == (0, (0,))


async def test_other_tenants_and_other_kinds_are_counted_apart(
    meter: Meter, tenant: Scope, other_tenant: Scope
) -> None:
    await meter.take(ask(tenant, (THE_TENANT, 1)))
    assert (await meter.take(ask(other_tenant, (THE_TENANT, 1)))).granted == 1
    assert (await meter.take(replace(ask(tenant, (THE_TENANT, 1)), counted="uploads"))).granted == 1


async def test_giant_quotas_are_counted_exactly(meter: Meter, tenant: Scope) -> None:
    """Up to the largest number that JSON holds."""
    grant = await meter.take(ask(tenant, (THE_TENANT, 2**53), most=3))
    assert (grant.granted, grant.remaining) == (3, (2**53 - 3,))
