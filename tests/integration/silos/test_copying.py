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

ROWS = 50
Sides = tuple[Connection, Connection, UUID, Table]


@pytest.fixture
async def sides(installation: Installation, silo: Database) -> AsyncIterator[Sides]:
    """Alice's table of lists, at home and, empty, in the silo."""
    tenant_id, _ = await installation.tenant("alice")
    async with raw_session(installation.home.owner_url) as home, raw_session(silo.owner_url) as there:
        (table,) = [each for each in await tables_of(home) if each.name == "document_subjects"]
        for _ in range(ROWS):
            await home.execute(
                "insert into document_subjects values ($1, $2, $3, $4)", tenant_id, uuid4(), uuid4(), uuid4()
            )
        yield home, there, tenant_id, table
        for side in (home, there):
            await drop_rows(side, [table], tenant_id)


async def copied(sides: Sides, since: int | None) -> tuple[int, int]:
    """Copy what is new. How many rows that were, and the mark for the next time."""
    home, there, tenant_id, table = sides
    async with home.transaction(isolation="repeatable_read", readonly=True):
        copier = Copier(home, there, tenant_id)
        mark = await copier.now()
        moved = await copier.copy(table, since)
        await copier.compare(table)
    return moved, mark


async def test_a_later_pass_brings_what_was_written_and_takes_what_was_deleted(sides: Sides) -> None:
    """And nothing else: two rows, where there are fifty."""
    home, _, tenant_id, table = sides
    first, mark = await copied(sides, None)
    one = "(select ctid from document_subjects where tenant_id = $1 limit 1)"
    await home.execute(f"delete from {table.name} where ctid = {one}", tenant_id)
    await home.execute(f"update {table.name} set subject = $2 where ctid = {one}", tenant_id, uuid4())
    later, _ = await copied(sides, mark)
    assert (first, later) == (ROWS, 3)  # the changed key came, the old one and the deleted one went


@pytest.mark.parametrize(
    "harm",
    [
        "delete from document_subjects where tenant_id = $1",
        "update document_subjects set subject = document_id where tenant_id = $1",
    ],
)
async def test_a_pass_notices_that_the_copy_lost_rows(sides: Sides, harm: str) -> None:
    """Though nothing was written at the source since."""
    _, there, tenant_id, _ = sides
    _, mark = await copied(sides, None)
    await there.execute(harm, tenant_id)
    with pytest.raises(CopyDiffers):
        await copied(sides, mark)
