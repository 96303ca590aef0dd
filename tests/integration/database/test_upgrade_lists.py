"""An installation with lists is upgraded: levels are kept for short ones, and for whom there are long ones is noted."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from test_upgrade import migrate_below

from knowlog.database import Database, DatabaseSettings, EmbeddedServer, connect
from knowlog.database.migrations import migrate


@pytest.fixture
async def old(server_dir: Path, database: Database) -> AsyncIterator[Any]:
    """A database as the version before left it."""
    async with database.owner() as owner:
        await owner.execute("create database long_lists")
    there = (
        EmbeddedServer(server_dir, DatabaseSettings()).url("postgres").replace("/knowlog?", "/long_lists?")
    )
    connection = await connect(there)
    await migrate_below(connection, "0075_before_levels_of_vectors.sql")
    yield connection
    await connection.close()
    async with database.owner() as owner:
        await owner.execute("drop database long_lists with (force)")


async def test_levels_are_kept_for_short_lists_alone(old) -> None:
    """Nine are many; who is named by such a list is noted instead."""
    tenant, collection, many, few = uuid4(), uuid4(), uuid4(), uuid4()
    await old.execute("insert into knowlog.tenants (tenant_id, name) values ($1, 'alice')", tenant)
    await old.execute(
        "insert into knowlog.collections (tenant_id, collection_id, name, profile) values ($1, $2, 'docs', '{}')",
        tenant, collection,
    )  # fmt: skip
    for document, named in ((many, 9), (few, 8)):
        await old.execute(
            "insert into knowlog.documents (tenant_id, document_id, collection_id, external_id, title, title_given,"
            " metadata, version, latest, state, audience)"
            " values ($1, $2, $3, $4, '', false, '{}', 1, 1, 'indexed', $5)",
            tenant, document, collection, str(document), [uuid4() for _ in range(named)],
        )  # fmt: skip
        await old.execute(
            "insert into knowlog.versions (tenant_id, document_id, version, blob, content_hash, size_bytes, filename)"
            " values ($1, $2, 1, '', '', 0, '')", tenant, document,
        )  # fmt: skip
        chunk = await old.fetchval(
            "insert into knowlog.chunks (tenant_id, collection_id, document_id, version, ordinal, start_offset,"
            " end_offset, text, headings) values ($1, $2, $3, 1, 0, 0, 1, 'a', '{}') returning chunk_id",
            tenant, collection, document,
        )  # fmt: skip
        await old.execute(
            "insert into knowlog.vectors (tenant_id, collection_id, embedding_key, chunk_id, document_id,"
            " content_hash, embedding) values ($1, $2, 'key', $3, $4, $4,"
            " array_fill(0.06::real, array[256])::halfvec)",
            tenant, collection, chunk, document,
        )  # fmt: skip
    kept = "select d.document_id, count(*) from knowlog.subject_vectors s join knowlog.vectors v using (chunk_id)"
    kept += " join knowlog.documents d using (document_id) group by 1"
    noted = "select document_id, count(*) from knowlog.widely_named group by 1"
    assert "0075_before_levels_of_vectors.sql" in await migrate(old, "knowlog")
    assert dict(await old.fetch(kept)) == {few: 8}
    assert dict(await old.fetch(noted)) == {many: 9}
