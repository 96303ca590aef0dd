"""An installation from before collections knew their embedding keys is upgraded: its documents answer, by both legs."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from at_work import at_work, fake_app
from knowlog.bootstrap import App
from knowlog.database import Database, DatabaseSettings, EmbeddedServer, Scope, connect
from knowlog.documents import Profile, Upload, count_states, create_collection, get_collection
from knowlog.retrieval import Search, retrieve

_KEY = "fake-64-512"
_NEXT = "0004_before_embeddings.sql"
_TABLES = (
    "tenants", "collections", "documents", "versions", "chunks", "chunk_terms", "vectors", "collection_statistics",
    "term_statistics", "statistics_changes",
)  # fmt: skip


@pytest.fixture
async def before(server_dir: Path, database: Database, tenant: Scope) -> AsyncIterator[str]:
    """The address of a database as the version before left it: Alice's documents, those of `bare` without vectors."""
    here = EmbeddedServer(server_dir, DatabaseSettings()).url("postgres")
    there = here.replace("/knowlog?", "/upgraded?")
    async with database.owner() as owner:
        await owner.execute("create database upgraded")
    await write_documents(server_dir, tenant)
    source, target = await connect(here), await connect(there)
    await migrate_below(target, _NEXT)
    for table in _TABLES:
        await copy_rows(source, target, table, tenant)
    await target.execute(
        "delete from knowlog.vectors where collection_id = (select collection_id from knowlog.collections"
        " where name = 'bare')"
    )
    await source.close()
    await target.close()
    yield there
    async with database.owner() as owner:
        await owner.execute("drop database upgraded with (force)")


async def write_documents(server_dir: Path, tenant: Scope) -> None:
    """Two collections of three documents each."""
    async with fake_app(server_dir, EMBEDDING_DIMENSIONS="64") as app, at_work(app):
        for name in ("whole", "bare"):
            uploads = [
                Upload(f"{n}", f"{n}.txt", f"The zebra{n} sleeps in stable{n}.".encode()) for n in range(3)
            ]
            async with app.database.transaction(tenant) as connection:
                await create_collection(connection, tenant, name, app.complete_profile(Profile()))
                await app.receiver.receive(connection, tenant, name, uploads)
        for name in ("whole", "bare"):
            await indexed(app, tenant, name)


async def indexed(app: App, scope: Scope, name: str) -> None:
    for _ in range(400):
        async with app.database.transaction(scope) as connection:
            if await count_states(connection, scope, name) == {"indexed": 3}:
                return
        await asyncio.sleep(0.05)
    raise AssertionError("never indexed")


async def migrate_below(connection: Any, name: str) -> None:
    """Apply the migrations before one, and remember them as knowlog does."""
    folder = files("knowlog.database") / "migrations"
    await connection.execute(
        "create schema knowlog; create table knowlog.migrations"
        " (name text primary key, checksum text not null, applied_at timestamptz not null default now())"
    )
    for earlier in sorted(
        each.name for each in folder.iterdir() if each.name.endswith(".sql") and each.name < name
    ):
        sql = (folder / earlier).read_text("utf-8")
        async with connection.transaction():
            await connection.execute(sql)
            await connection.execute(
                "insert into knowlog.migrations (name, checksum) values ($1, $2)",
                earlier, hashlib.sha256(sql.encode()).hexdigest(),
            )  # fmt: skip


async def copy_rows(source: Any, target: Any, table: str, tenant: Scope) -> None:
    """Copy the tenant's rows of a table, in the columns that it had then."""
    found = await target.fetch(
        "select column_name from information_schema.columns where table_schema = 'knowlog' and table_name = $1",
        table,
    )
    columns = [row["column_name"] for row in found]
    rows: list[bytes] = []

    async def keep(data: bytes) -> None:
        rows.append(bytes(data))

    named = ", ".join(columns)
    asked = f"select {named} from knowlog.{table} where tenant_id = '{tenant.tenant_id}'"
    await source.copy_from_query(asked, output=keep, format="binary")

    async def kept() -> AsyncIterator[bytes]:
        for each in rows:
            yield each

    await target.copy_to_table(table, schema_name="knowlog", columns=columns, source=kept(), format="binary")


async def key_of(app: App, scope: Scope, name: str) -> tuple[UUID, str | None]:
    async with app.database.transaction(scope) as connection:
        found = await get_collection(connection, scope, name)
    return found.collection_id, found.embedding.key


async def legs(app: App, scope: Scope, collection: UUID) -> set[str]:
    """By which legs the right document is found first."""
    search = Search("where does zebra1 sleep", (collection,), 3)
    found = await retrieve(app.database, scope, app.embedder, app.store, search)
    assert "stable1" in found.passages[0].text
    return set(found.passages[0].legs)


async def test_what_was_there_answers_after_the_upgrade(before, server_dir, tenant) -> None:
    """By the key that its vectors have; a worker makes those that are missing, and then nothing is left to do."""
    async with fake_app(server_dir, DATABASE_URL=before, EMBEDDING_DIMENSIONS="64") as app:
        whole, key = await key_of(app, tenant, "whole")
        assert key == _KEY
        assert await legs(app, tenant, whole) == {"lexical", "dense"}
        bare, none = await key_of(app, tenant, "bare")
        assert none is None
        assert await legs(app, tenant, bare) == {"lexical"}
        async with at_work(app):
            await made_whole(app, tenant)
        assert await legs(app, tenant, bare) == {"lexical", "dense"}
        assert (await key_of(app, tenant, "bare"))[1] == _KEY


async def made_whole(app: App, scope: Scope) -> None:
    for _ in range(400):
        async with app.database.transaction(scope) as connection:
            if not await connection.fetchval("select count(*) from embedding_builds"):
                return
        await asyncio.sleep(0.05)
    raise AssertionError("vectors are still missing")
