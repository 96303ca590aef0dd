"""What stands before a passage that begins in the middle of a table: there the columns have their names."""

from collections.abc import Sequence
from dataclasses import replace

from knowlog.answering.tables import begins_in_table
from knowlog.database import Database, Scope, load_queries
from knowlog.retrieval import Passage

_SQL = load_queries("knowlog.answering")
_CHARS = 2500
"""So far back a head is looked for: most of a page of figures."""


async def with_leads(database: Database, scope: Scope, passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """Give the passages that begin in a table what stands before them. Costs nothing where none does."""
    wanted = [each for each in passages if each.start > 0 and begins_in_table(each.text)]
    if not wanted:
        return tuple(passages)
    places = [(each.document_id, each.version, max(0, each.start - _CHARS), each.start) for each in wanted]
    async with database.transaction(scope) as connection:
        rows = await connection.fetch(_SQL["texts"], *map(list, zip(*places, strict=True)))
    leads = {id(each): row["text"] for each, row in zip(wanted, rows, strict=True)}
    return tuple(replace(each, lead=leads.get(id(each), "")) for each in passages)
