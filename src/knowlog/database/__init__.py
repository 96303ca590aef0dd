"""PostgreSQL: the embedded server, the pool, transactions that belong to one tenant, migrations, SQL by name."""

from knowlog.database.actions import open_database, start_embedded
from knowlog.database.migrations import check_server, migrate
from knowlog.database.pool import Connection, Database, connect
from knowlog.database.queries import load_queries
from knowlog.database.scope import Scope
from knowlog.database.server import EmbeddedServer
from knowlog.database.settings import DatabaseSettings

__all__ = [
    "Connection",
    "Database",
    "DatabaseSettings",
    "EmbeddedServer",
    "Scope",
    "check_server",
    "connect",
    "load_queries",
    "migrate",
    "open_database",
    "start_embedded",
]
