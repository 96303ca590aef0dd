"""Which server a command calls, and with which key."""

import os
from pathlib import Path

from knowlog.cli.client import Client
from knowlog.cli.credentials import kept_keys, operator_key
from knowlog.kernel.errors import Misconfigured
from knowlog.settings import Settings, load_settings

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - compared with, not bound


def connect(url: str | None = None, key: str | None = None) -> Client:
    """Open a client for the tenant: from the options, the environment, or the keys this machine keeps.

    Raises Misconfigured when there is no key.
    """
    settings = load_settings()
    kept = next(iter(kept_keys(settings.data_dir).values()), None)
    found = key or os.environ.get("KNOWLOG_KEY") or (kept["key"] if kept else None)
    if found is None:
        raise Misconfigured(
            "There is no API key. Give --key, set KNOWLOG_KEY, or run `knowlog up` on this machine."
        )
    return Client(server_url(settings, url), found)


def connect_operator(url: str | None = None, key: str | None = None) -> Client:
    """Open a client that manages tenants. Raises Misconfigured when there is no operator key."""
    settings = load_settings()
    setting = settings.api.operator_key
    found = key or (setting.get_secret_value() if setting else operator_key(settings.data_dir))
    if found is None:
        raise Misconfigured(
            f"There is no operator key in {settings.data_dir}. Give --operator-key,"
            " set KNOWLOG_API_OPERATOR_KEY, or set KNOWLOG_DATA_DIR to the data directory of the server."
        )
    return Client(server_url(settings, url), found)


def server_url(settings: Settings, url: str | None = None) -> str:
    """The server's address: as given, from KNOWLOG_URL, as `knowlog up` left it, or from the settings."""
    found = url or os.environ.get("KNOWLOG_URL") or _left_address(settings.data_dir)
    if found is None:
        return local_url(settings.api.host, settings.api.port)
    if not found.startswith(("http://", "https://")):
        raise Misconfigured(f"{found} is no address of a server: it must begin with http:// or https://.")
    return found


def local_url(host: str, port: int) -> str:
    """The address by which this machine reaches a server that listens on `host`."""
    return f"http://{_EVERYWHERE.get(host, host)}:{port}"


def leave_address(data_dir: Path, url: str | None) -> None:
    """Note where the server of this data directory is, for commands that follow; None: it has stopped."""
    path = data_dir / "address"
    if url is None:
        path.unlink(missing_ok=True)
    else:
        path.write_text(url + "\n")


def _left_address(data_dir: Path) -> str | None:
    try:
        return (data_dir / "address").read_text().strip() or None
    except OSError:
        return None
