"""What is deleted while a list is read is left out of it."""

import pytest

from knowlog.api import paging
from knowlog.database import Database, Scope
from knowlog.documents import Profile, create_collection, delete_collection, resolve_collections
from knowlog.kernel.errors import NotFound


async def page(database: Database, scope: Scope, collection: str | None) -> object:
    async with database.transaction(scope) as connection:
        return await paging.documents_page(connection, scope, collection, None, 10)


async def test_a_collection_that_is_deleted_while_documents_are_listed(
    database: Database, tenant: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of all documents goes on without it; it is absent for who has named it."""

    async def found_and_deleted(*asked):
        found = await resolve_collections(*asked)
        async with database.transaction(tenant) as connection:
            await delete_collection(connection, tenant, "notes")
        return found

    monkeypatch.setattr(paging, "resolve_collections", found_and_deleted)
    outcomes: list[object] = []
    for named in (None, "notes"):
        async with database.transaction(tenant) as connection:
            await create_collection(connection, tenant, "notes", Profile())
        try:
            outcomes.append(await page(database, tenant, named))
        except NotFound as error:
            outcomes.append(type(error))
    assert outcomes == [([], None), NotFound]
