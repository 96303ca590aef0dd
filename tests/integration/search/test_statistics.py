"""What BM25 knows of a collection stays true, without a hot row."""

import asyncio
from uuid import UUID

from knowlog.stores import fold_statistics, remove_chunks, term_statistics

TEXTS = ["red pump", "red red tank", "blue tank"]


async def known(
    database, tenant, collection: UUID, question: str = "red tank blue"
) -> tuple[int, dict[str, int]]:
    """Chunks in the collection, and how many hold each word."""
    async with database.transaction(tenant) as connection:
        found = await term_statistics(connection, [collection], question)
    return found.chunk_count, {each.lexeme: each.holding for each in found.terms}


async def test_they_are_the_same_before_and_after_folding(database, tenant, collection, put) -> None:
    """A reader of a small collection sees what is not folded yet."""
    await put(tenant, collection, TEXTS)
    expected = (3, {"red": 2, "tank": 2, "blue": 1})
    assert await known(database, tenant, collection) == expected
    assert await fold_statistics(database) >= 1
    assert await known(database, tenant, collection) == expected


async def test_what_is_removed_no_longer_counts(database, tenant, collection, put, store) -> None:
    """Whether the removal is folded or not."""
    ids = await put(tenant, collection, TEXTS)
    await fold_statistics(database)
    async with database.transaction(tenant) as connection:
        await remove_chunks(connection, store, tenant.tenant_id, ids[:2])
    assert await known(database, tenant, collection) == (1, {"red": 0, "tank": 1, "blue": 1})
    await fold_statistics(database)
    assert await known(database, tenant, collection) == (1, {"red": 0, "tank": 1, "blue": 1})


async def test_a_rolled_back_write_leaves_no_trace(database, tenant, collection, put, store) -> None:
    """Statistics are part of the transaction that writes the chunks."""
    ids = await put(tenant, collection, TEXTS)
    try:
        async with database.transaction(tenant) as connection:
            await remove_chunks(connection, store, tenant.tenant_id, ids)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert await known(database, tenant, collection) == (3, {"red": 2, "tank": 2, "blue": 1})


async def test_writers_and_folders_at_once_neither_block_nor_miscount(
    database, tenant, collection, put, store
) -> None:
    """Eight writers, a remover and two folders: no deadlock, and the sum is right."""
    doomed = await put(tenant, collection, TEXTS)
    writing = asyncio.gather(*(put(tenant, collection, TEXTS * 5) for _ in range(8)))

    async def fold_until_written() -> None:
        while not writing.done():
            await fold_statistics(database)

    async def remove() -> None:
        async with database.transaction(tenant) as connection:
            await remove_chunks(connection, store, tenant.tenant_id, doomed)

    await asyncio.wait_for(asyncio.gather(writing, fold_until_written(), fold_until_written(), remove()), 60)
    while await fold_statistics(database):
        pass
    assert await known(database, tenant, collection) == (120, {"red": 80, "tank": 80, "blue": 40})


async def test_a_collection_deleted_while_its_changes_wait_disturbs_nobody(
    database, tenant, collection, put
) -> None:
    """Its changes go with it; the next fold goes on."""
    await put(tenant, collection, TEXTS)
    async with database.transaction(tenant) as connection:
        await connection.execute("delete from collections where collection_id = $1", collection)
    await fold_statistics(database)
    assert await known(database, tenant, collection) == (0, {"red": 0, "tank": 0, "blue": 0})
