"""PostgreSQL: the embedded server, the pool, transactions that belong to one tenant, migrations, SQL by name."""

from knowlog.database.actions import open_database, start_embedded
from knowlog.database.clocks import WORTH_TELLING_S, Clock, beyond, seconds_ahead
from knowlog.database.copying import (
    AnotherMover,
    Copier,
    CopyDiffers,
    Table,
    drop_rows,
    mover_session,
    raw_session,
    require_same,
    tables_of,
)
from knowlog.database.migrations import check_server, migrate, system_of_owner
from knowlog.database.pool import Connection, Database, InTheWay, ReadOnly, connect
from knowlog.database.queries import load_queries
from knowlog.database.scope import Scope
from knowlog.database.server import EmbeddedServer
from knowlog.database.settings import HERE, DatabaseSettings, beside
from knowlog.database.silos import FORGOTTEN_S, Home, Silo

__all__ = [
    "FORGOTTEN_S",
    "HERE",
    "WORTH_TELLING_S",
    "AnotherMover",
    "Clock",
    "Connection",
    "Copier",
    "CopyDiffers",
    "Database",
    "DatabaseSettings",
    "EmbeddedServer",
    "Home",
    "InTheWay",
    "ReadOnly",
    "Scope",
    "Silo",
    "Table",
    "beside",
    "beyond",
    "check_server",
    "connect",
    "drop_rows",
    "load_queries",
    "migrate",
    "mover_session",
    "open_database",
    "raw_session",
    "require_same",
    "seconds_ahead",
    "start_embedded",
    "system_of_owner",
    "tables_of",
]
