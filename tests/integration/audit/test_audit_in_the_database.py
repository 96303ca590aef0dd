"""The audit log in the database: who can write it, what happens to a chain that somebody changes, kills and crowds."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import asyncpg
import orjson
import pytest

from knowlog.database import Database, Scope
from knowlog.tenants import (
    OPERATORS_CHAIN,
    Anchor,
    Verdict,
    WantedRecords,
    audit_head,
    create_tenant,
    delete_tenant,
    list_records,
    record,
    verify,
)


async def say(database: Database, scope: Scope, times: int = 1, **detail: object) -> None:
    """Record something so many times, each in a transaction of its own."""
    for _ in range(times):
        async with database.transaction(scope) as connection:
            await record(connection, scope, "key.created", "key:1", detail)


async def checked(database: Database, scope: Scope) -> Verdict:
    """Check a tenant's chain as the command does."""
    async with database.transaction(scope) as connection:
        records = await list_records(connection, WantedRecords(), most=100_000, order="oldest")
        return verify(records, [await audit_head(connection)])


async def as_superuser(database: Database, sql: str, *arguments: object) -> None:
    """Do what no role that anybody can log in as may do."""
    async with database.owner() as connection:
        await connection.execute("set role knowlog_definer")
        await connection.execute(sql, *arguments)


async def test_records_form_a_chain_that_fits_what_the_verifier_computes(database, tenant) -> None:
    """The database and Python write the same canonical JSON, whatever the text."""
    for odd in ('"quoted" \\ back', "tab\tnew\nline\x01\x1f\x7f", "Ünïcödé 日本 \u2028 😀", "{}[],:/"):
        scope = Scope(tenant.tenant_id, odd)
        async with database.transaction(scope) as connection:
            await record(connection, scope, "key.created", odd, {"text": odd, odd: [1, 2.5, None, True]})
    verdict = await checked(database, tenant)
    assert (verdict.records, verdict.problems) == (5, [])  # the tenant's creation is the first


async def test_a_change_that_is_rolled_back_is_not_recorded(database, tenant) -> None:
    """The record and the change are one."""
    with contextlib.suppress(ZeroDivisionError):
        async with database.transaction(tenant) as connection:
            await record(connection, tenant, "key.created")
            1 / 0  # noqa: B018
    assert (await checked(database, tenant)).records == 1


async def test_many_writers_do_not_fork_the_chain(database, tenant) -> None:
    """Eight at once, each record has its one place."""
    await asyncio.gather(*(say(database, tenant, 25) for _ in range(8)))
    verdict = await checked(database, tenant)
    assert (verdict.records, verdict.problems) == (201, [])


async def test_writers_that_lock_in_different_orders_do_not_block_each_other(database, tenant) -> None:
    """The chain is locked at the very end, whenever something was recorded."""
    first_said = asyncio.Event()

    async def slow() -> None:
        async with database.transaction(tenant) as connection:
            await record(connection, tenant, "key.created")
            first_said.set()
            await asyncio.sleep(0.5)

    task = asyncio.create_task(slow())
    await first_said.wait()
    await asyncio.wait_for(say(database, tenant), 0.4)
    await task
    assert (await checked(database, tenant)).problems == []


async def test_a_record_changed_by_a_superuser_is_named(database, tenant) -> None:
    """Which one it was is said."""
    await say(database, tenant, 5)
    await as_superuser(
        database,
        "update knowlog.audit_records set record = replace(record, 'key.created', 'key.revoked')"
        " where tenant_id = $1 and sequence = 3",
        tenant.tenant_id,
    )
    assert (await checked(database, tenant)).problems == [
        "Record 3 was changed: its hash does not fit what it says."
    ]


async def test_records_cut_off_at_the_end_are_missed(database, tenant) -> None:
    """The head tells; and an anchor kept elsewhere, where the head was moved too."""
    await say(database, tenant, 5)
    async with database.transaction(tenant) as connection:
        kept = await audit_head(connection)
    cut = "delete from knowlog.audit_records where tenant_id = $1 and sequence > 4"
    await as_superuser(database, cut, tenant.tenant_id)
    assert "missing at the end" in (await checked(database, tenant)).problems[0]
    move = """update knowlog.audit_heads h set sequence = 4, hash = r.hash from knowlog.audit_records r
              where h.tenant_id = $1 and r.tenant_id = $1 and r.sequence = 4"""
    await as_superuser(database, move, tenant.tenant_id)
    assert (await checked(database, tenant)).problems == []
    async with database.transaction(tenant) as connection:
        records = await list_records(connection, WantedRecords(), order="oldest")
    assert "missing at the end" in verify(records, [kept]).problems[0]


async def test_the_overview_counts_chains_that_were_cut(database, tenant) -> None:
    """What doctor and the metrics warn of."""
    await say(database, tenant, 2)
    async with database.system() as connection:
        before = await connection.fetchval("select cut from audit_overview()")
        await as_superuser(
            database,
            "delete from knowlog.audit_records where tenant_id = $1 and sequence = 3",
            tenant.tenant_id,
        )
        assert await connection.fetchval("select cut from audit_overview()") == before + 1


@pytest.mark.parametrize(
    "attack",
    [
        "update audit_records set record = record",
        "delete from audit_records",
        "insert into audit_records (tenant_id, sequence, record, hash) values (tenant(), 99, '{}', '\\x')",
        "update audit_heads set sequence = 0",
        "delete from audit_heads",
        "select * from audit_waiting",
        "insert into audit_waiting (tenant_id, action, actor, detail) values (tenant(), 'a', 'b', '{}')",
        "select record_audit_of(tenant(), 'a', 'b', null, '{}', null, null, null)",
        "select seal_audit()",
    ],
)
async def test_the_application_can_only_append(database, tenant, attack: str) -> None:
    """Its role has no grant to rewrite, cut or reach into another's chain."""
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.FeatureNotSupportedError)):
        async with database.transaction(tenant) as connection:
            await connection.execute(attack)
    assert (await checked(database, tenant)).problems == []


async def test_another_tenants_log_is_out_of_reach(database, tenant, other_tenant) -> None:
    """Charlie reads his own, whatever he asks for."""
    await say(database, tenant, 3, canary="CANARY-alice")
    async with database.transaction(other_tenant) as connection:
        rows = await connection.fetch("select record from audit_records")
        heads = await connection.fetch("select tenant_id from audit_heads")
    assert not [row for row in rows if "CANARY-alice" in row["record"]]
    assert [row["tenant_id"] for row in heads] == [other_tenant.tenant_id]


async def test_secrets_are_not_recorded_even_where_somebody_writes_them(database, tenant) -> None:
    """A key as a name, as a program's name, as who it was."""
    secret = f"kl_{tenant.tenant_id.hex}_{'CANARY' * 7}x"
    await say(database, Scope(tenant.tenant_id, secret), name=secret, nested=[{"url": f"https://h/{secret}"}])
    async with database.transaction(tenant) as connection:
        (newest,) = await list_records(connection, WantedRecords(), most=1)
    assert "CANARY" not in orjson.dumps(newest).decode()


async def test_the_operators_chain_outlives_the_tenant(database) -> None:
    """Creation and deletion stand there with the tenant's id."""
    made = await create_tenant(database, "short-lived")
    await delete_tenant(database, made.tenant_id)
    scope = Scope(OPERATORS_CHAIN, "operator")
    wanted = WantedRecords(subject=f"tenant:{made.tenant_id}")
    async with database.transaction(scope) as connection:
        found = await list_records(connection, wanted, order="oldest")
    assert [each["action"] for each in found] == ["tenant.created", "tenant.deleted"]
    assert (await checked(database, scope)).problems == []
    async with database.transaction(Scope(made.tenant_id, "operator")) as connection:
        assert await audit_head(connection) == Anchor(0, "0" * 64)


WRITER = """
import asyncio, sys
from pathlib import Path
from uuid import UUID
from knowlog.database import DatabaseSettings, Scope, open_database
from knowlog.tenants import record

async def main(folder, url, tenant):
    database = await open_database(DatabaseSettings(url=url or None), Path(folder))
    scope = Scope(UUID(tenant), "key:killed")
    print("ready", flush=True)
    while True:
        async with database.transaction(scope) as connection:
            await record(connection, scope, "key.created", None, {"n": 1})

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_writer_killed_in_the_middle_leaves_a_whole_chain(database, server_dir: Path, tenant) -> None:
    """kill -9, three times, at no particular moment."""
    url = os.environ.get("KNOWLOG_TEST_DATABASE_URL", "")
    for pause_s in (0.05, 0.2, 0.31):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(server_dir), url, str(tenant.tenant_id),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        await process.stdout.readline()
        await asyncio.sleep(pause_s)
        process.kill()
        await process.wait()
    await say(database, tenant)
    verdict = await checked(database, tenant)
    assert verdict.records > 5
    assert verdict.problems == []
