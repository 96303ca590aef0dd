"""Copying a tenant's rows again and again: later passes send little, and notice what is not the same."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from silo_scene import Installation

from knowlog.database import (
    Connection,
    Copier,
    CopyDiffers,
    Database,
    Table,
    drop_rows,
    raw_session,
    tables_of,
)

Sides = tuple[Connection, Connection, UUID, Table]
_INSERT = "insert into collections (tenant_id, collection_id, name, profile) values ($1, $2, $3, '{}')"


@pytest.fixture
async def sides(installation: Installation, silo: Database) -> AsyncIterator[Sides]:
    """Alice's collections, "handbook" and four more, at home; none in the silo."""
    tenant_id, _ = await installation.tenant("alice")
    async with raw_session(installation.home.owner_url) as home, raw_session(silo.owner_url) as there:
        (table,) = [each for each in await tables_of(home) if each.name == "collections"]
        for name in ("north", "east", "south", "west"):
            await home.execute(_INSERT, tenant_id, uuid4(), name)
        yield home, there, tenant_id, table
        for side in (home, there):
            await drop_rows(side, [table], tenant_id)


async def copied(sides: Sides, since: int | None) -> tuple[int, int]:
    """Copy what is new, and compare all. How many rows it was, and the mark for the next time."""
    home, there, tenant_id, table = sides
    async with home.transaction(isolation="repeatable_read", readonly=True):
        copier = Copier(home, there, tenant_id)
        mark = await copier.now()
        moved = await copier.copy(table, since)
        await copier.compare(table)
    return moved, mark


async def test_a_later_pass_brings_what_was_written_and_takes_what_was_deleted(sides: Sides) -> None:
    """Nothing else comes, and a name goes over to another row."""
    home, _, tenant_id, _ = sides
    first, mark = await copied(sides, None)
    named = "where tenant_id = $1 and name = $2"
    await home.execute(f"update collections set profile_version = 2 {named}", tenant_id, "north")
    await home.execute(f"delete from collections {named}", tenant_id, "east")
    await home.execute(_INSERT, tenant_id, uuid4(), "east")
    later, _ = await copied(sides, mark)
    assert (first, later) == (5, 3)


@pytest.mark.parametrize("harm", ["delete from collections", "update collections set collection_id = $2"])
async def test_a_pass_notices_that_the_copy_lost_a_row(sides: Sides, harm: str) -> None:
    """Though nothing was written at the source since."""
    _, there, tenant_id, _ = sides
    _, mark = await copied(sides, None)
    await there.execute(
        f"{harm} where tenant_id = $1 and name = 'west' and collection_id <> $2", tenant_id, uuid4()
    )
    with pytest.raises(CopyDiffers):
        await copied(sides, mark)


async def test_a_key_is_what_tells_rows_apart_and_nothing_that_its_index_carries_besides(
    sides: Sides,
) -> None:
    """Keys go over the line whole when a row is gone: what an index includes is many times as large."""
    home, _, _, _ = sides
    keys = {each.name: each.key for each in await tables_of(home)}
    assert keys["subject_vectors"] == ("tenant_id", "subject", "collection_id", "embedding_key", "chunk_id")
