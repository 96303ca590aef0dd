"""Search attacked from the inside: with a tenant's own connection, and everything known about another's."""

from uuid import UUID

import asyncpg
import pytest

from knowlog.stores import LexicalQuery, lexical_search, parse_filter, term_statistics
from knowlog.stores.lexical import sparse_vector
from knowlog.stores.terms import salt, term

CALL = "select * from knowlog.lexical_search($1, $2, $3, $4, $5, 10, $6, $7)"


def arguments(collection: UUID, prune: bool = True, path: str | None = None) -> list[object]:
    """What a search for "secret" in a collection passes to the database."""
    number = term("secret", salt(collection))
    return [[collection], [number], [1.0], [1], sparse_vector({number: 1.0}), prune, path]


async def test_the_owner_finds_what_is_theirs(database, tenant, collection, put) -> None:
    """So that the tests below prove something."""
    await put(tenant, collection, ["secret plans"])
    async with database.transaction(tenant) as connection:
        assert len(await connection.fetch(CALL, *arguments(collection))) == 1


@pytest.mark.parametrize("prune", [True, False])
async def test_a_stranger_who_knows_the_collection_and_its_terms_finds_nothing(
    database, tenant, other_tenant, collection, put, prune: bool
) -> None:
    """The function names the tenant itself; no argument can."""
    await put(tenant, collection, ["secret plans"])
    async with database.transaction(other_tenant) as connection:
        assert await connection.fetch(CALL, *arguments(collection, prune)) == []


async def test_with_no_tenant_set_the_function_fails(database, collection) -> None:
    """It does not return nothing: it raises."""
    async with database.owner() as connection:
        await connection.execute("begin; set local role knowlog_app; set local search_path = knowlog, public")
        with pytest.raises(asyncpg.PostgresError, match=r"knowlog\.tenant"):
            await connection.fetch(
                "select * from lexical_search(array[$1::uuid], array[1], array[1.0::real], array[1::bigint],"
                " '{1:1}/1000000000', 10, true, null)",
                collection,
            )
        await connection.execute("rollback")


async def test_the_system_role_may_not_search(database, collection) -> None:
    """It is for work across tenants, and sees none of their texts."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.system() as connection:
            await connection.fetch(CALL, *arguments(collection))


async def test_objects_of_the_callers_cannot_stand_in_for_ours(
    database, tenant, other_tenant, collection, put
) -> None:
    """A temporary function called tenant, or another search_path, changes nothing."""
    await put(tenant, collection, ["secret plans"])
    async with database.transaction(other_tenant) as connection:
        await connection.execute(
            "create function pg_temp.tenant() returns uuid language sql"
            f" as $$ select '{tenant.tenant_id}'::uuid $$;"
            " create temporary table chunk_terms (tenant_id uuid) on commit drop;"
            " set local search_path = pg_temp, knowlog, public"
        )
        assert await connection.fetch(CALL, *arguments(collection)) == []
        await connection.execute("drop function pg_temp.tenant()")


@pytest.mark.parametrize(
    "attack",
    [
        {'x" == 1 || true || "': 1},
        {"x": '" || true || "'},
        {"x": "') or true --"},
        {"x": "'; drop table knowlog.chunks; --"},
        {"x": {"gt": '" || 1 == 1 || "'}},
        {"x": ['"', "\\", '\\"', "$", "\x1b", "\u2028", "😀"]},
        {"$": 1},
        {"@": {"not": "x"}, "x": 2},
    ],
)
async def test_a_filter_cannot_become_code(
    database, tenant, collection, put, attack: dict[str, object]
) -> None:
    """Whatever it contains, it is a comparison that does not hold."""
    await put(tenant, collection, ["secret plans"], [{"x": 1}])
    query = LexicalQuery((collection,), 10, parse_filter(attack))
    async with database.transaction(tenant) as connection:
        statistics = await term_statistics(connection, [collection], "secret")
        assert await lexical_search(connection, statistics, query) == []
        assert await connection.fetchval("select count(*) from chunks") == 1


async def test_a_stranger_learns_nothing_from_statistics(
    database, tenant, other_tenant, collection, put
) -> None:
    """Neither how many chunks there are nor whether a word occurs."""
    await put(tenant, collection, ["secret plans"])
    async with database.transaction(other_tenant) as connection:
        found = await term_statistics(connection, [collection], "secret")
    assert (found.chunk_count, found.terms[0].holding) == (0, 0)


MATCHING = "select document_id from knowlog.matching_documents(array[$1::uuid], $2::text::jsonpath, null)"
YEAR = '$."year" == 2026'


async def test_a_filter_matches_no_document_of_a_stranger(
    database, tenant, other_tenant, collection, put
) -> None:
    """The owner's is matched; a stranger who names the collection matches nothing; with no tenant it fails."""
    await put(tenant, collection, ["secret plans"])
    async with database.transaction(tenant) as connection:
        await connection.execute(
            "update documents set metadata = '{\"year\": 2026}' where tenant_id = tenant()"
        )
        assert len(await connection.fetch(MATCHING, collection, YEAR)) == 1
    async with database.transaction(other_tenant) as connection:
        assert await connection.fetch(MATCHING, collection, YEAR) == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.system() as connection:
            await connection.fetch(MATCHING, collection, YEAR)
    async with database.owner() as connection:
        await connection.execute("begin; set local role knowlog_app; set local search_path = knowlog, public")
        with pytest.raises(asyncpg.PostgresError, match=r"knowlog\.tenant"):
            await connection.fetch(MATCHING, collection, YEAR)
        await connection.execute("rollback")


async def test_the_filter_reads_its_index(database) -> None:
    """What the function asks can be answered from the index on metadata."""
    async with database.owner() as connection, connection.transaction():
        await connection.execute("set local role knowlog_definer; set local enable_seqscan = off")
        await connection.execute("set local enable_indexscan = off")
        plan = await connection.fetch(
            f"explain select from knowlog.documents where metadata @@ '{YEAR}'::jsonpath"
        )
    assert any("documents_metadata" in row[0] for row in plan)
