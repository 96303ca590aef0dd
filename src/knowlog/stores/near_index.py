"""An HNSW index of its own for every collection that has become too large to be scanned."""

import logging

from knowlog.database import Connection, Database, load_queries

_SQL = load_queries("knowlog.stores")
_LOG = logging.getLogger("knowlog.stores")
_LOCK = 0x6B6C6E656172  # "klnear"

LARGE = 10_000
"""Chunks from which a collection has an index of its own (see docs/decisions/0004-dense-leg.md)."""


async def graduate_large_collections(database: Database, at_least: int = LARGE) -> list[str]:
    """Build the index of each collection that has become large, drop what serves none. Returns those built.

    Searches and writes go on meanwhile. Of several callers one works, the others return at once; a build
    that was interrupted is dropped and made again.
    """
    async with database.system() as connection:
        large = await connection.fetch(_SQL["large_collections"], at_least)
        kept = await connection.fetch(_SQL["large_collections"], at_least // 2)
    async with database.owner() as owner:
        if not await owner.fetchval("select pg_try_advisory_lock($1)", _LOCK):
            return []
        existing = {row["name"]: row["valid"] for row in await owner.fetch(_SQL["near_indexes"])}
        names = [await _name(owner, row["collection_id"], row["embedding_key"]) for row in kept]
        for name, valid in existing.items():
            if not valid or name not in names:
                await owner.execute(f"drop index concurrently if exists knowlog.{name}")
        return [name for row in large if (name := await _build(owner, row, existing))]


async def _build(owner: Connection, row: dict[str, object], existing: dict[str, bool]) -> str | None:
    name = await _name(owner, row["collection_id"], row["embedding_key"])
    if existing.get(name):
        return None
    statement = await owner.fetchval(
        _SQL["near_index"], row["collection_id"], row["embedding_key"], row["dimensions"]
    )
    _LOG.info("building %s", name)
    await owner.execute("set search_path = knowlog, public, pg_catalog; set maintenance_work_mem = '512MB'")
    await owner.execute(statement, timeout=None)
    return name


async def _name(owner: Connection, collection_id: object, embedding_key: object) -> str:
    return str(await owner.fetchval("select knowlog.near_index($1, $2)", collection_id, embedding_key))
