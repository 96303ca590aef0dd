"""Requests are held against limits by many processes at once, and what is stored exactly."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import pytest

from knowlog.database import Database, Scope
from knowlog.kernel.errors import Invalid, LimitReached, Misconfigured
from knowlog.tenants import (
    THE_TENANT,
    Limiter,
    LimitsSettings,
    Principal,
    Role,
    allowance,
    check,
    create_key,
    create_tenant,
    delete_tenant,
    fold_usage,
    hold_within,
    operator_principal,
    set_key_limits,
    set_tenant_limits,
    spend,
    usage_by_day,
    usage_now,
)
from servers import running_server

DEFAULTS = LimitsSettings(requests_per_minute=60)


def process(database: Database, settings: LimitsSettings = DEFAULTS) -> Limiter:
    """What one server process has of it."""
    return Limiter(database, settings)


@pytest.fixture
def caller(database: Database) -> Callable:
    """Make a principal with a key of its own."""

    async def make(scope: Scope, role: Role = "editor") -> Principal:
        async with database.transaction(scope) as connection:
            key, _ = await create_key(connection, operator_principal(scope.tenant_id), "key", role)
        return Principal(Scope(scope.tenant_id, f"key:{key.key_id}"), role, key.key_id)

    return make


async def admitted(limiter: Limiter, principal: Principal, tries: int) -> int:
    """How many of so many requests at once are let in."""
    found = await asyncio.gather(*(limiter.admit(principal) for _ in range(tries)), return_exceptions=True)
    refused = [each for each in found if isinstance(each, BaseException)]
    assert all(isinstance(each, LimitReached) for each in refused), refused
    return tries - len(refused)


async def limit_key(database: Database, scope: Scope, key_id: UUID, **limits: int) -> None:
    async with database.transaction(scope) as connection:
        await set_key_limits(connection, operator_principal(scope.tenant_id), key_id, limits)


async def test_one_process_grants_exactly_the_limit(database, tenant, caller) -> None:
    """And the refusal says when to come back."""
    limiter, alice = process(database), await caller(tenant)
    assert await admitted(limiter, alice, 200) == 60
    with pytest.raises(LimitReached, match="60 requests a minute of your tenant") as refused:
        await limiter.admit(alice)
    assert 1 <= refused.value.extra["retry_after_s"] <= 65


async def test_many_processes_together_grant_never_more(database, tenant, caller) -> None:
    """Eight processes, ten times the limit: what is leased and not spent is at most one lease for each."""
    alice = await caller(tenant)
    processes = [process(database, LimitsSettings(requests_per_minute=600)) for _ in range(8)]
    counts = await asyncio.gather(*(admitted(each, alice, 750) for each in processes))
    assert 600 - 8 * 10 <= sum(counts) <= 600


async def test_processes_that_come_one_after_the_other_grant_never_more(database, tenant, caller) -> None:
    """A restart does not begin the minute anew."""
    alice = await caller(tenant)
    assert sum([await admitted(process(database), alice, 25) for _ in range(5)]) == 60


async def test_two_keys_do_not_double_the_limit_of_their_tenant(database, tenant, caller) -> None:
    limiter = process(database)
    keys = [await caller(tenant) for _ in range(4)]
    counts = await asyncio.gather(*(admitted(limiter, each, 60) for each in keys))
    assert 60 - len(keys) <= sum(counts) <= 60


async def test_a_key_has_a_limit_of_its_own_within_that_of_its_tenant(database, tenant, caller) -> None:
    """Its siblings go on."""
    alice, bob = await caller(tenant), await caller(tenant)
    await limit_key(database, tenant, alice.key_id, requests_per_minute=5)
    limiter = process(database)
    assert await admitted(limiter, alice, 50) == 5
    with pytest.raises(LimitReached, match="of your key"):
        await limiter.admit(alice)
    assert await admitted(limiter, bob, 60) == 55


async def test_others_feel_nothing_of_one_at_ten_times_its_limit(
    database, tenant, other_tenant, caller
) -> None:
    """All of theirs are let in, and the flood asks the store a few times only."""
    limiter = process(database)
    alice, charlie = await caller(tenant), await caller(other_tenant)
    await limiter.admit(charlie)
    before = limiter.meters.takes["postgresql"]
    flood, theirs = await asyncio.gather(admitted(limiter, alice, 600), admitted(limiter, charlie, 59))
    assert (flood, theirs) == (60, 59)
    assert limiter.meters.takes["postgresql"] - before <= 20


async def test_the_clock_of_a_process_makes_no_difference(database, tenant, caller, monkeypatch) -> None:
    """One that is a day ahead, and one that stands still, grant together no more than the limit."""
    alice = await caller(tenant)
    counts = []
    for skew in (0.0, 86_400.0, -500.0, 1e9):
        monkeypatch.setattr("knowlog.tenants.limiter.monotonic", lambda skew=skew: 1000.0 + skew)
        counts.append(await admitted(process(database), alice, 40))
    assert sum(counts) == 60


async def test_a_busy_caller_costs_the_store_little(database, tenant, caller) -> None:
    """A thousand requests one after the other, of a tenant that may make sixty thousand: a few dozen leases."""
    limiter, alice = process(database, LimitsSettings(requests_per_minute=60_000)), await caller(tenant)
    for _ in range(1000):
        await limiter.admit(alice)
    assert limiter.meters.takes["postgresql"] <= 60


async def test_a_new_limit_holds_at_once_here_and_soon_elsewhere(database, tenant, caller) -> None:
    """Within two seconds in other processes: what they had leased before is spent."""
    here, elsewhere, alice = process(database), process(database), await caller(tenant)
    await here.admit(alice)
    await elsewhere.admit(alice)
    await set_tenant_limits(database, tenant.tenant_id, {"requests_per_minute": 3})
    here.forget(tenant.tenant_id)
    assert await admitted(here, alice, 10) == 1
    await asyncio.sleep(2.1)
    assert await admitted(elsewhere, alice, 10) == 0


async def test_no_limit_is_none(database, tenant, caller) -> None:
    """And no header says anything."""
    limiter, alice = process(database, LimitsSettings(requests_per_minute=None)), await caller(tenant)
    assert await admitted(limiter, alice, 300) == 300
    assert await limiter.admit(alice) is None
    assert limiter.meters.takes.total() == 0


async def test_what_may_be_done_never_is_told_so(database, tenant, caller) -> None:
    """Nought requests: coming back does not help."""
    limiter, alice = process(database, LimitsSettings(requests_per_minute=0)), await caller(tenant)
    with pytest.raises(LimitReached, match="it allows none"):
        await limiter.admit(alice)


async def test_what_an_answer_says_adds_up(database, tenant, caller) -> None:
    """Remaining goes down by one with each request, for tenant and key."""
    limiter, alice = process(database), await caller(tenant)
    await limit_key(database, tenant, alice.key_id, requests_per_minute=10)
    rates = [await limiter.admit(alice) for _ in range(10)]
    assert rates[0].policy == '"requests";q=60;w=60, "requests-of-key";q=10;w=60'
    assert [each.state for each in rates] == [
        f'"requests";r={59 - n};t=65, "requests-of-key";r={9 - n};t=65' for n in range(10)
    ]


async def test_uploads_are_counted_by_documents(database, tenant, caller) -> None:
    """More at once than a minute may bring are refused for good, too many in a minute for a while."""
    limiter, alice = process(database, LimitsSettings(uploads_per_minute=10)), await caller(tenant)
    await limiter.admit_uploads(alice, 7)
    with pytest.raises(LimitReached, match="10 uploaded documents a minute"):
        await limiter.admit_uploads(alice, 4)
    await limiter.admit_uploads(alice, 3)
    with pytest.raises(Invalid, match="11 documents at once"):
        await limiter.admit_uploads(alice, 11)


async def test_while_redis_is_away_postgresql_counts(database, tenant, caller) -> None:
    """No request fails; when Redis is back, it counts again."""
    with running_server("redis") as server:
        settings = LimitsSettings(requests_per_minute=60, store="redis", redis_url=server.url)
        limiter, alice = process(database, settings), await caller(tenant)
        assert await admitted(limiter, alice, 30) == 30
        assert limiter.meters.takes["postgresql"] == 0
        server.killable.kill()
        assert await admitted(limiter, alice, 200) <= 60
        assert limiter.meters.resting
        assert limiter.meters.takes["postgresql"] > 0
        await limiter.close()


async def test_a_redis_that_was_never_there_costs_no_request(database, tenant, caller) -> None:
    settings = LimitsSettings(requests_per_minute=60, store="redis", redis_url="redis://127.0.0.1:9")
    limiter, alice = process(database, settings), await caller(tenant)
    assert await admitted(limiter, alice, 100) == 60


def test_redis_without_an_address_is_refused_at_start(database) -> None:
    with pytest.raises(Misconfigured, match="KNOWLOG_LIMITS_REDIS_URL"):
        process(database, LimitsSettings(store="redis"))


async def test_what_a_process_counted_is_written_down(database, tenant, caller) -> None:
    """By day, for the tenant; folding changes nothing of the sum."""
    limiter, alice = process(database), await caller(tenant)
    for _ in range(7):
        await limiter.admit(alice)
    await limiter.close()
    for _ in range(2):
        async with database.transaction(tenant) as connection:
            found = {each.counted: each.amount for each in await usage_by_day(connection, 1)}
        assert found["requests"] == 7
        await fold_usage(database)


async def test_counting_a_tenant_that_is_gone_spoils_nothing(database, tenant, caller) -> None:
    """The others' figures are written down."""
    gone = Scope((await create_tenant(database, "alice")).tenant_id, "key:alice")
    limiter, bob = process(database), await caller(tenant)
    await limiter.admit(Principal(gone, "reader"))
    await limiter.admit(bob)
    await delete_tenant(database, gone.tenant_id)
    await limiter.flush()
    async with database.transaction(tenant) as connection:
        assert [each.amount for each in await usage_by_day(connection, 1)] == [1]


async def used(database: Database, scope: Scope, kind: str, key_id: UUID | None = None) -> int:
    async with database.transaction(scope) as connection:
        allowed = await allowance(connection, DEFAULTS, key_id)
        found = await usage_now(connection, allowed, key_id or THE_TENANT, {})
    return next(each.used for each in found if each.limit == kind)


async def test_later_rooms_spend_and_check(database, tenant, caller) -> None:
    """Tokens and money: for the tenant and the key, today and this month."""
    alice = await caller(tenant)
    settings = replace_settings(llm_tokens_per_day=100)
    async with database.transaction(tenant) as connection:
        await spend(connection, "llm_tokens", 99, alice.key_id)
        await spend(connection, "money_micros", 1_500)
        await check(connection, await allowance(connection, settings, alice.key_id), ["llm_tokens_per_day"])
        await spend(connection, "llm_tokens", 1, alice.key_id)
        with pytest.raises(LimitReached, match=r"100 tokens of language models a day .* the day ends in"):
            await check(connection, await allowance(connection, settings, None), ["llm_tokens_per_day"])
    assert await used(database, tenant, "llm_tokens_per_day", alice.key_id) == 100
    assert await used(database, tenant, "money_micros_per_month") == 1_500


def replace_settings(**values: int) -> LimitsSettings:
    return DEFAULTS.model_copy(update=values)


@pytest.mark.parametrize(
    ("counted", "amount"), [("llm_tokens", -1), ("llm_tokens", 2**53 + 1), ("x", 1), ("documents", 1)]
)
async def test_an_amount_that_makes_no_sense_is_refused(database, tenant, counted: str, amount: int) -> None:
    """Nothing is refunded by a negative amount, and what is stored is counted by itself alone."""
    async with database.transaction(tenant) as connection:
        with pytest.raises(Invalid):
            await spend(connection, counted, amount)


async def test_exactly_the_limit_is_spent_by_many_at_once(database, tenant) -> None:
    """Fifty transactions that each want a tenth of it: ten succeed."""
    settings = replace_settings(upload_bytes_per_day=1000)

    async def one() -> bool:
        try:
            async with database.transaction(tenant) as connection:
                await spend(connection, "upload_bytes", 100)
                await hold_within(
                    connection, await allowance(connection, settings, None), ["upload_bytes_per_day"]
                )
        except LimitReached:
            return False
        return True

    assert sum(await asyncio.gather(*(one() for _ in range(50)))) == 10
    assert await used(database, tenant, "upload_bytes_per_day") == 1000


async def test_a_tenant_sees_no_other_tenants_usage(database, tenant, other_tenant, caller) -> None:
    """Not even by its key's id."""
    alice = await caller(tenant)
    await limit_key(database, tenant, alice.key_id, requests_per_minute=5)
    async with database.transaction(tenant) as connection:
        await spend(connection, "llm_tokens", 99)
    async with database.transaction(other_tenant) as connection:
        assert await usage_by_day(connection, 366) == []
        assert (await allowance(connection, DEFAULTS, alice.key_id)).of_key == {}


@pytest.mark.parametrize("limits", [{"documents": -1}, {"documents": 2**53 + 1}, {"x": 1}])
async def test_a_limit_that_makes_no_sense_changes_nothing(database, tenant, limits: dict[str, int]) -> None:
    await set_tenant_limits(database, tenant.tenant_id, {"documents": 7})
    with pytest.raises(Invalid):
        await set_tenant_limits(database, tenant.tenant_id, limits)
    async with database.transaction(tenant) as connection:
        assert (await allowance(connection, DEFAULTS, None)).of_tenant["documents"] == 7


STATEMENTS = (
    "delete from tenant_limits",
    "update tenant_limits set most = null",
    "insert into tenant_limits values (tenant(), 'stored_bytes', null)",
    "update usage set amount = 0",
    "delete from usage_changes",
)


async def test_a_tenants_own_transaction_cannot_lift_its_limits(database, tenant) -> None:
    """The database refuses, not only the code above it."""
    await set_tenant_limits(database, tenant.tenant_id, {"documents": 7})
    for statement in STATEMENTS:
        with pytest.raises(Exception, match="permission denied"):
            async with database.transaction(tenant) as connection:
                await connection.execute(statement)
