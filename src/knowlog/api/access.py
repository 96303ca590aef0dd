"""Who may see what: the lists of collections and documents."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from knowlog.api.dependencies import AsAdmin, CollectionName, Route, TheApp, reply
from knowlog.api.model import Body, problems
from knowlog.database import Connection
from knowlog.documents import (
    Access,
    Audience,
    Change,
    audience,
    collection_access,
    document_access,
    find_collection,
    limit_collection,
    limit_document,
)
from knowlog.tenants import Principal, record

router = APIRouter(prefix="/v1", tags=["access"], route_class=Route, responses=problems(404))

_Subjects = Annotated[list[UUID], Field(max_length=1000)]


class WantedAccess(Body):
    """The list that is to hold. Owners and admins need not be named: they see everything."""

    subjects: _Subjects | None = Field(
        description="Ids of members and groups. Null: no list of its own, so that a document is for those for whom"
        " its collection is, and a collection for all of the tenant. An empty list: for admins alone."
    )


class ChangedAccess(Body):
    """Whom to name in the list, and whom no more. Of whom both is said, the denial holds."""

    allow: _Subjects = Field(default_factory=list)
    deny: _Subjects = Field(default_factory=list)

    @property
    def change(self) -> Change:
        """As documents know it."""
        return Change(frozenset(self.allow), frozenset(self.deny))


@router.get(
    "/collections/{collection}/access", response_model=Access, summary="Show who may see a collection"
)
async def show_of_collection(collection: CollectionName, caller: AsAdmin, app: TheApp) -> Response:
    """Show for whom a collection is: null for all of the tenant."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await collection_access(connection, caller.scope, collection))


@router.put("/collections/{collection}/access", response_model=Access, summary="Set who may see a collection")
async def set_of_collection(
    collection: CollectionName, body: WantedAccess, caller: AsAdmin, app: TheApp
) -> Response:
    """Say for whom a collection is, and with it every document of it that has no list of its own. Holds at once.

    Example: `{"subjects": ["018f3c00-0000-7000-8000-000000000001"]}`.
    """
    async with app.database.transaction(caller.scope) as connection:
        return await _limit_collection(connection, caller, collection, audience(body.subjects))


@router.patch(
    "/collections/{collection}/access",
    response_model=Access,
    responses=problems(409),
    summary="Change who may see a collection",
)
async def change_of_collection(
    collection: CollectionName, body: ChangedAccess, caller: AsAdmin, app: TheApp
) -> Response:
    """Name subjects in a collection's list, or take them out of it. Holds at once."""
    async with app.database.transaction(caller.scope) as connection:
        return await _limit_collection(connection, caller, collection, body.change)


@router.get("/documents/{document_id}/access", response_model=Access, summary="Show who may see a document")
async def show_of_document(document_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Show for whom a document is: its own list, null for none, and the one that holds, its collection's maybe."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await document_access(connection, caller.scope, document_id))


@router.put("/documents/{document_id}/access", response_model=Access, summary="Set who may see a document")
async def set_of_document(document_id: UUID, body: WantedAccess, caller: AsAdmin, app: TheApp) -> Response:
    """Say for whom a document is, whatever holds for its collection. Holds at once."""
    async with app.database.transaction(caller.scope) as connection:
        return await _limit_document(connection, caller, document_id, audience(body.subjects))


@router.patch(
    "/documents/{document_id}/access",
    response_model=Access,
    responses=problems(409),
    summary="Change who may see a document",
)
async def change_of_document(
    document_id: UUID, body: ChangedAccess, caller: AsAdmin, app: TheApp
) -> Response:
    """Name subjects in a document's list, or take them out of it. Holds at once."""
    async with app.database.transaction(caller.scope) as connection:
        return await _limit_document(connection, caller, document_id, body.change)


async def _limit_collection(
    connection: Connection, caller: Principal, collection: str, wanted: Audience | Change | None
) -> Response:
    given = await limit_collection(connection, caller.scope, collection, wanted)
    found = await find_collection(connection, caller.scope, collection)
    await _record(connection, caller, "collection", found, given)
    return reply(given)


async def _limit_document(
    connection: Connection, caller: Principal, document_id: UUID, wanted: Audience | Change | None
) -> Response:
    given = await limit_document(connection, caller.scope, document_id, wanted)
    await _record(connection, caller, "document", document_id, given)
    return reply(given)


async def _record(connection: Connection, caller: Principal, kind: str, thing: UUID, given: Access) -> None:
    """Record for whom something is from now on."""
    told = {"subjects": given.subjects}
    await record(connection, caller.scope, f"{kind}.access_changed", f"{kind}:{thing}", told)
