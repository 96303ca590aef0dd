"""Pages of documents over one collection or all of them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from knowlog.database import Connection, Scope
from knowlog.documents import Document, list_documents, resolve_collections
from knowlog.edge import decode_cursor, encode_cursor


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
        items += await list_documents(
            connection, scope, str(collection_id), after=after, most=limit + 1 - len(items), **wanted
        )
        if len(items) > limit:
            last = items[limit - 1]
            return items[:limit], encode_cursor(last.created_at, last.document_id, last.collection_id)
    return items, None


def _position(cursor: str | None) -> tuple[Any, Any, Any]:
    moment, document, at = decode_cursor(cursor, datetime, UUID, UUID) or (None, None, None)
    return moment, document, at
