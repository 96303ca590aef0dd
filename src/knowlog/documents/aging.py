"""Which documents are to be fetched again, and which are too old."""

from datetime import timedelta
from uuid import UUID

from knowlog.database import Connection, load_queries

_SQL = load_queries("knowlog.documents", "aging.sql")


async def documents_by_url(
    connection: Connection, collection_id: UUID, after: UUID | None, most: int
) -> list[tuple[UUID, str]]:
    """Documents whose external id is a URL, with it, from behind the document `after`."""
    rows = await connection.fetch(_SQL["fetched"], collection_id, after, most)
    return [(row["document_id"], row["external_id"]) for row in rows]


async def documents_older_than(
    connection: Connection, collection_id: UUID, days: int, most: int
) -> list[tuple[UUID, int]]:
    """Documents whose newest content came in more than `days` ago, oldest first, each with its revision."""
    rows = await connection.fetch(_SQL["older"], collection_id, timedelta(days=days), most)
    return [(row["document_id"], row["revision"]) for row in rows]
