"""Pages of what fits a filter."""

from collections.abc import Sequence
from typing import Any

from scim2_models import SearchRequest

from knowlog.database import Connection
from knowlog.provisioning.filters import Columns, Condition


async def find_page(
    connection: Connection, statement: str, columns: Columns, order: str, asked: SearchRequest[Any]
) -> tuple[int, Sequence[Any]]:
    """How many rows of a statement fit a filter, and those of the page that is asked for.

    Raises InvalidFilterException for what cannot be compared.
    """
    arguments: list[object] = []
    if asked.filter is not None:
        condition = Condition(asked.filter, columns)
        statement = f"{statement} and {condition.written()}"
        arguments = condition.arguments
    counted = f"select count(*) from ({statement}) found"  # noqa: S608 - statements of ours, values apart
    total: int = await connection.fetchval(counted, *arguments)
    behind, most = max(0, (asked.start_index or 1) - 1), asked.count or 0
    if not most or behind >= total:
        return total, ()
    page = f"{statement} order by {order} offset {behind:d} limit {most:d}"
    return total, await connection.fetch(page, *arguments)
