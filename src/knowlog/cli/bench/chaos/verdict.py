"""What the database says when all is calm: lost, wrong, twice, stuck, out of order, and how long takeovers took."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from knowlog.cli.bench.chaos.killing import Death
from knowlog.cli.bench.chaos.workload import VERSIONS, Workload, name_of, text_of, until, waiting
from knowlog.database import Connection, Database, Scope
from knowlog.evaluation import percentile

_CALM_TIMEOUT_S = 300.0

_COUNTS = """
    with received as (
        select subject, (data ->> 'version')::int as version, state, position, finished_at,
               lag(finished_at) over (partition by subject order by position) as before
        from events where type = 'document.received'),
    indexed as (
        select subject, (data ->> 'version')::int as version, position,
               lag((data ->> 'version')::int) over (partition by subject order by xid, position) as before
        from events where type = 'document.indexed'),
    repeated as (select count(*) - 1 as more from indexed group by subject, version having count(*) > 1)
    select (select count(*) from documents where version = $1 and latest = $1) as complete,
           (select count(*) from received where state = 'done') as handled,
           (select count(*) from received) as received,
           (select count(*) from (select distinct subject, version from received) r) as versions,
           (select coalesce(sum(more), 0) from repeated) as repeated,
           (select count(*) from chunks) as chunks, (select count(*) from vectors) as vectors,
           (select count(*) from versions) as kept_versions,
           (select count(*) from events where state in ('waiting', 'running', 'failed', 'cancelled')) as unfinished,
           (select count(*) from received where before > finished_at)
           + (select count(*) from indexed where before >= version) as out_of_order"""
_CONTENT = """
    select d.external_id, d.version, v.text, v.content_hash, k.start_offset, k.end_offset, k.text as chunk
    from documents d join versions v using (tenant_id, document_id, version)
    left join chunks k using (tenant_id, document_id, version)
    where d.tenant_id = tenant() order by k.ordinal"""
_TOOK = """
    select extract(epoch from e.finished_at - min(d.at))::float8 as seconds
    from unnest($1::uuid[], $2::timestamptz[], $3::text[]) as d (event_id, at, worker)
    join knowlog.events e using (event_id)
    where e.finished_at >= d.at and e.worker not like d.worker group by e.event_id, e.finished_at"""


async def until_calm(database: Database) -> float:
    """Wait until nothing waits or runs. Returns the seconds that took, or those of giving up."""

    async def calm() -> bool:
        return not await waiting(database)

    return await until(calm, _CALM_TIMEOUT_S)


async def judge(
    database: Database, tenant_id: UUID, workload: Workload, deaths: Sequence[Death], paused: Sequence[Death]
) -> dict[str, float | None]:
    """Count what must be nought, from the rows themselves."""
    async with database.transaction(Scope(tenant_id, "chaos")) as connection:
        row: Any = await connection.fetchrow(_COUNTS, VERSIONS)
        wrong = await wrong_documents(connection, documents := workload.documents)
    count = workload.count
    beyond = (
        max(0, row["received"] - count), row["repeated"], max(0, row["chunks"] - documents),
        max(0, row["vectors"] - documents), max(0, row["kept_versions"] - documents),
    )  # fmt: skip
    missing = (count - row["versions"], documents - row["complete"], documents - row["chunks"])
    return {
        "lost": max(0, *missing),
        "wrong": len(wrong),
        "twice": sum(int(each) for each in beyond),
        "stuck": row["unfinished"],
        "out_of_order": row["out_of_order"],
        **await takeovers(database, deaths),
        **{f"pause_{name}": figure for name, figure in (await takeovers(database, paused)).items()},
    }


async def wrong_documents(connection: Connection, documents: int) -> set[str]:
    """Which documents do not say what was sent: in the text of the version that answers, its hash, or its chunks, which
    must be spans of that text and together be all of it.
    """
    sent = {name_of(number): number for number in range(documents)}
    covered: dict[str, list[str]] = {}
    wrong: set[str] = set()
    for row in await connection.fetch(_CONTENT):
        name, text = row["external_id"], text_of(sent.get(row["external_id"], -1), row["version"])
        covered.setdefault(name, [text]).append(row["chunk"] or "")
        as_sent = row["text"] == text and row["content_hash"] == sha256(text.encode()).digest()
        if not as_sent or text[row["start_offset"] : row["end_offset"]] != row["chunk"]:
            wrong.add(name)
    return wrong | {name for name, (text, *chunks) in covered.items() if "".join(chunks) != text}


async def takeovers(database: Database, deaths: Sequence[Death]) -> dict[str, float | None]:
    """How long it took until another had done what the dead were at, from the first death on where more than one died
    over it; None where none of them was at anything.
    """
    held = [(event, death.at, f"%-{death.process_id}-%") for death in deaths for event in death.events]
    columns = [list(column) for column in zip(*held, strict=True)] or [[], [], []]
    async with database.owner() as owner:
        rows = await owner.fetch(_TOOK, *columns)
    seconds = [row["seconds"] for row in rows]
    return {
        "takeover_p50_s": percentile(seconds, 50) if seconds else None,
        "takeover_p99_s": percentile(seconds, 99) if seconds else None,
        "taken_over": len(seconds),
    }
