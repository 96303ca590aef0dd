"""Following the log of all tenants, for one who publishes chosen events elsewhere."""

from collections.abc import Collection

from knowlog.bus.model import Event
from knowlog.database import Connection

_LOOKED_AT = 500


async def follow_events(connection: Connection, reader: str, types: Collection[str]) -> list[Event]:
    """Take the next events of these types in the order of the log, in a system transaction of the caller.

    The reader has come further when that commits; until then another caller gets nothing. A new reader begins at the
    present. Events of a transaction that commits late are not missed.
    """
    rows = await connection.fetch("select * from follow_events($1, $2, $3)", reader, list(types), _LOOKED_AT)
    return [Event(**row) for row in rows]
