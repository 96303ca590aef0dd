"""Open the database of an installation."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from knowlog.database.migrations import migrate
from knowlog.database.pool import Database, connect, open_pool
from knowlog.database.server import EmbeddedServer
from knowlog.database.settings import DatabaseSettings


def start_embedded(settings: DatabaseSettings, data_dir: Path) -> EmbeddedServer | None:
    """Start the embedded server, or return None when the settings name a server of the user's own."""
    if settings.url is not None:
        return None
    server = EmbeddedServer(data_dir, settings)
    server.start()
    return server


async def open_database(settings: DatabaseSettings, data_dir: Path) -> Database:
    """Connect to the database, with its schema brought up to date.

    An embedded server that is not running is started, and stays. Raises Unavailable or Misconfigured.
    """
    server = start_embedded(settings, data_dir)
    if server is not None:
        url, owner_url = server.url("knowlog"), server.url("postgres")
    else:
        assert settings.url is not None
        url = settings.url.get_secret_value()
        owner_url = settings.owner_url.get_secret_value() if settings.owner_url else url
    connection = await connect(owner_url)
    try:
        await migrate(connection, await _login_of(url))
    finally:
        await connection.close()
    return Database(await open_pool(settings, url), url, owner_url)


async def _login_of(url: str) -> str:
    """The name that PostgreSQL knows the login by; asked of the server where the address does not say it."""
    named = urlsplit(url).username
    if named:
        return unquote(named)
    connection = await connect(url)
    try:
        return str(await connection.fetchval("select current_user"))
    finally:
        await connection.close()
