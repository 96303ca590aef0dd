"""Pages of lists, and of documents over one collection or all of them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from fastapi.responses import Response

from knowlog.api.dependencies import reply
from knowlog.database import Connection, Scope
from knowlog.documents import Document, list_documents, resolve_collections
from knowlog.edge import decode_cursor, encode_cursor
from knowlog.kernel.errors import NotFound

Item = TypeVar("Item")


def page_of(
    found: Sequence[Item],
    limit: int,
    place: Callable[[Item], tuple[datetime | UUID | str | int, ...]],
    shown: Callable[[Item], object] = lambda each: each,
) -> Response:
    """Answer with the first `limit` of what was found; `next_cursor` is the place of the last, where more was found."""
    items = found[:limit]
    following = encode_cursor(*place(items[-1])) if len(found) > limit else None
    return reply({"items": [shown(each) for each in items], "next_cursor": following})


async def documents_page(
    connection: Connection,
    scope: Scope,
    collection: str | None,
    cursor: str | None,
    limit: int,
    **wanted: Any,
) -> tuple[list[Document], str | None]:
    """Return the documents behind `cursor`, and the cursor that goes on behind them, None at the end.

    Collections follow each other in the order of their ids; within one, documents in the order of their
    arrival.
    """
    ids = [
        found.collection_id
        for found in await resolve_collections(
            connection, scope, None if collection is None else [collection]
        )
    ]
    moment, document, at = _position(cursor)
    items: list[Document] = []
    for collection_id in ids:
        if at is not None and collection_id < at:
            continue
        after = (moment, document) if collection_id == at else None
        try:
            items += await list_documents(
                connection, scope, str(collection_id), after=after, most=limit + 1 - len(items), **wanted
            )
        except NotFound:
            if collection is not None:
                raise
            continue  # it was deleted a moment ago
        if len(items) > limit:
            last = items[limit - 1]
            return items[:limit], encode_cursor(last.created_at, last.document_id, last.collection_id)
    return items, None


def _position(cursor: str | None) -> tuple[Any, Any, Any]:
    moment, document, at = decode_cursor(cursor, datetime, UUID, UUID) or (None, None, None)
    return moment, document, at
