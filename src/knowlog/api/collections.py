"""Collections: named sets of documents, each with one profile."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from knowlog.api.dependencies import (
    NO_NUL,
    AsAdmin,
    AsReader,
    CollectionName,
    Cursor,
    IdempotencyKey,
    IfMatch,
    JsonObject,
    Limit,
    Route,
    TheApp,
    as_json,
    reply,
    reply_once,
)
from knowlog.api.model import Body, Listing, problems
from knowlog.api.paging import page_of
from knowlog.documents import (
    Collection,
    CollectionReceipt,
    Profile,
    count_states,
    create_collection,
    get_collection,
    list_collections,
    update_collection,
)
from knowlog.edge import (
    Answer,
    decode_cursor,
    entity_tag,
    expected_revision,
    fingerprint,
    once,
)
from knowlog.tenants import record

router = APIRouter(prefix="/v1/collections", tags=["collections"], route_class=Route, responses=problems())

_Name = Annotated[str, Field(min_length=1, max_length=200, examples=["handbook"]), NO_NUL]


class ProfileBody(Body):
    """How a collection is chunked, retrieved and answered. What is left out has its default."""

    chunking: JsonObject = Field(default_factory=dict)
    retrieval: JsonObject = Field(default_factory=dict)
    answering: JsonObject = Field(default_factory=dict)


class NewCollection(Body):
    """A collection to create."""

    name: _Name
    profile: ProfileBody = ProfileBody()


class ChangedCollection(Body):
    """What to change of a collection. Where the chunking of a new profile is another, all documents are cut anew."""

    name: _Name | None = None
    profile: ProfileBody | None = None


class CollectionStates(Body):
    """A collection, and how many of its documents are in each state."""

    collection: Collection
    states: dict[str, int]


@router.post(
    "", status_code=201, response_model=Collection, responses=problems(409), summary="Create a collection"
)
async def create(
    body: NewCollection,
    request: Request,
    caller: AsAdmin,
    app: TheApp,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create a collection. What its profile leaves out has its default.

    Example: `{"name": "handbook", "profile": {"chunking": {"size_tokens": 200}}}`.
    """
    asked = fingerprint("create collection", await request.body())
    profile = await app.completed_profile(caller.scope, Profile(**body.profile.model_dump()))
    async with app.database.transaction(caller.scope) as connection:

        async def act() -> Answer:
            made = await create_collection(connection, caller.scope, body.name, profile)
            await record(connection, caller.scope, "collection.created", _subject(made), {"name": made.name})
            return Answer(
                201, as_json(made), {"Location": f"/v1/collections/{made.collection_id}", "ETag": _tag(made)}
            )

        answer = await once(connection, caller.scope, idempotency_key, asked, act)
    return reply_once(answer)


@router.get("", response_model=Listing[Collection], summary="List your collections")
async def listing(caller: AsReader, app: TheApp, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """List the collections that the key may touch, in the order of their names."""
    after: Any = decode_cursor(cursor, str)
    async with app.database.transaction(caller.scope) as connection:
        found = await list_collections(connection, caller.scope, after and after[0], limit + 1)
    return page_of(found, limit, lambda each: (each.name,))


@router.get(
    "/{collection}", response_model=Collection, responses=problems(404), summary="Show one collection"
)
async def show(collection: CollectionName, caller: AsReader, app: TheApp) -> Response:
    """Show one collection."""
    async with app.database.transaction(caller.scope) as connection:
        found = await get_collection(connection, caller.scope, collection)
    return reply(found, headers={"ETag": _tag(found)})


@router.get(
    "/{collection}/states",
    response_model=CollectionStates,
    responses=problems(404),
    summary="Count documents by state",
)
async def states(collection: CollectionName, caller: AsReader, app: TheApp) -> Response:
    """Count a collection's documents by state: how far ingestion has come."""
    async with app.database.transaction(caller.scope) as connection:
        found = await get_collection(connection, caller.scope, collection, counted=False)
        counts = await count_states(connection, caller.scope, str(found.collection_id))
    counted = replace(found, document_count=sum(counts.values()))
    return reply({"collection": counted, "states": counts})


@router.patch(
    "/{collection}",
    response_model=Collection,
    responses=problems(404, 409, 412),
    summary="Rename or re-profile a collection",
)
async def change(
    collection: CollectionName,
    body: ChangedCollection,
    caller: AsAdmin,
    app: TheApp,
    if_match: IfMatch = None,
) -> Response:
    """Rename a collection, or give it another profile, which replaces the old one whole.

    What it says of retrieval holds at once. When what it says of chunking changes, workers cut all documents anew;
    until its turn comes, each answers by the chunks that it has. `rechunking` tells how far that is; the event
    `collection.rechunked`, that it is done.
    Example: `{"profile": {"retrieval": {"dense_weight": 0.5}}}`.
    """
    profile = (
        await app.completed_profile(caller.scope, Profile(**body.profile.model_dump()))
        if body.profile
        else None
    )
    expected = expected_revision(if_match)
    async with app.database.transaction(caller.scope) as connection:
        changed = await update_collection(
            connection, caller.scope, collection, name=body.name, profile=profile, expected=expected
        )
        told = {"name": changed.name, "fields": sorted(body.model_dump(exclude_none=True))}
        await record(connection, caller.scope, "collection.changed", _subject(changed), told)
    return reply(changed, headers={"ETag": _tag(changed)})


@router.delete(
    "/{collection}",
    response_model=CollectionReceipt,
    responses=problems(404),
    summary="Delete a collection with receipt",
)
async def delete(collection: CollectionName, caller: AsAdmin, app: TheApp) -> Response:
    """Delete a collection and every document in it. Nothing brings them back. The receipt counts what was removed, and
    proves by searching that nothing is left.
    """
    return reply(await app.delete_collection(caller.scope, collection))


def _subject(collection: Collection) -> str:
    return f"collection:{collection.collection_id}"


def _tag(collection: Collection) -> str:
    return entity_tag(collection.revision, collection.document_count)
