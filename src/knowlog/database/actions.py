"""Open the database of an installation."""

from pathlib import Path

from knowlog.database.migrations import prepare_schema
from knowlog.database.pool import open_pool
from knowlog.database.server import EmbeddedServer
from knowlog.database.settings import DatabaseSettings
from knowlog.database.silos import Home


def start_embedded(settings: DatabaseSettings, data_dir: Path) -> EmbeddedServer | None:
    """Start the embedded server, or return None when the settings name a server of the user's own."""
    if settings.url is not None:
        return None
    server = EmbeddedServer(data_dir, settings)
    server.start()
    return server


async def open_database(settings: DatabaseSettings, data_dir: Path) -> Home:
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
    await prepare_schema(url, owner_url)
    return Home(await open_pool(settings, url), url, owner_url, settings)
