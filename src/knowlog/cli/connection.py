"""Which server a command calls, and with which key."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from knowlog.cli.credentials import kept_keys, operator_key
from knowlog.cli.output import printable, say, tell
from knowlog.cli.running import here, is_up
from knowlog.kernel.errors import Misconfigured
from knowlog.settings import Local, Settings, load_local

if TYPE_CHECKING:
    from knowlog.cli.client import Client

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - compared with, not bound  # nosec B104


PATIENCE_S = 20.0
"""So long a command waits for a server that is away."""
_STARTING_S = 60.0  # for one that is known to start: a first start makes the database and the model
_NOT_SEEN_S = 1.0  # until it is said that none is seen to start
_NOTICED_S = 5.0  # until a `knowlog up &` of a moment ago has taken hold of its data directory


def connect(url: str | None = None, key: str | None = None) -> "Client":
    """Open a client for the tenant: from the options, the environment, or the keys this machine keeps.

    Waits for a `knowlog up` that is just starting. Raises Misconfigured when there is no key.
    """
    settings = here(load_local())
    await_start(settings, url, lambda: find_key(settings, key) is not None)
    found = find_key(settings, key)
    if found is None:
        raise Misconfigured(
            f"There is no API key in {settings.data_dir}. Give --key, set KNOWLOG_KEY, or run `knowlog up` on this"
            " machine."
        )
    return _patient(settings, url, found)


def connect_nobody(url: str | None = None) -> "Client":
    """Open a client for who is nobody yet, and signs in."""
    settings = here(load_local())
    await_start(settings, url, lambda: True)
    return _patient(settings, url, None)


def find_key(settings: Local, key: str | None = None) -> str | None:
    """The tenant's key: as given, from KNOWLOG_KEY, or the first that this machine keeps.

    Raises Misconfigured for an empty one: another key in its place could be another tenant's.
    """
    for given, name in ((key, "--key"), (os.environ.get("KNOWLOG_KEY"), "KNOWLOG_KEY")):
        if given is not None:
            return filled(given, name)
    kept = next(iter(kept_keys(settings.data_dir).values()), None)
    return kept["key"] if kept else None


def filled(key: str, name: str) -> str:
    """The key, without blanks around it. Raises Misconfigured when nothing is left, naming where it was given."""
    if not key.strip():
        raise Misconfigured(
            f"{name} is empty. Give a key, or leave {name} out: then the one kept here is used."
        )
    if not (key.strip().isascii() and key.strip().isprintable()):
        raise Misconfigured(f"{name} holds characters that no key has. Copy the key again.")
    return key.strip()


def connect_operator(url: str | None = None, key: str | None = None) -> "Client":
    """Open a client that manages tenants. Raises Misconfigured when there is no operator key."""
    settings = here(load_local())
    await_start(settings, url, lambda: _find_operator_key(settings, key) is not None)
    found = _find_operator_key(settings, key)
    if found is None:
        raise Misconfigured(
            f"There is no operator key in {settings.data_dir}. Give --operator-key,"
            " set KNOWLOG_API_OPERATOR_KEY, or set KNOWLOG_DATA_DIR to the data directory of the server."
        )
    return _patient(settings, url, found)


def _find_operator_key(settings: Local, key: str | None) -> str | None:
    if key is not None:
        return filled(key, "--operator-key")
    setting = settings.api.operator_key
    return setting.get_secret_value() if setting else operator_key(settings.data_dir)


def _patient(settings: Local, url: str | None, key: str | None) -> "Client":
    """A client that waits for a server that is away, unless it is known that none runs here."""
    from knowlog.cli.client import Client  # here, as it takes longer to load than all the rest

    address = server_url(settings, url)
    named = url or os.environ.get("KNOWLOG_URL") or left_address(settings.data_dir)
    expected = bool(named) or is_up(settings.data_dir) or _answers(settings)
    patience_s = PATIENCE_S if expected else 0
    return Client(address, key, patience_s=patience_s, waiting=tell_waiting, crowded=say_crowded)


def tell_waiting(url: str) -> None:
    """Say in a terminal what the command waits for."""
    tell(f"Waiting for {url} ...")


def say_crowded(detail: str) -> None:
    """Say why nothing goes on for a while, to a log too: it may last for minutes."""
    say(f"{printable(detail)} Trying again until it is taken, for ten minutes at most ...")


def await_start(settings: Local, url: str | None, has_key: Callable[[], bool]) -> None:
    """Wait while a `knowlog up` on this machine is starting, until its address and a key are there.

    Returns at once where the address is given, or where a server is there; soon where nothing starts.
    """
    if url or os.environ.get("KNOWLOG_URL"):
        return
    began, told = time.monotonic(), ""
    while not (has_key() and (left_address(settings.data_dir) or _answers(settings))):
        starting, waited_s = is_up(settings.data_dir), time.monotonic() - began
        if waited_s > (_STARTING_S if starting else _NOTICED_S):
            return
        waiting = _waiting_for(settings, starting)
        if waiting != told and (starting or waited_s > _NOT_SEEN_S):
            tell(waiting)
            told = waiting
        time.sleep(0.1)


def _waiting_for(settings: Local, starting: bool) -> str:
    if starting:
        return "Waiting for `knowlog up` to be ready ..."
    return f"Nothing runs in {settings.data_dir}. Waiting a moment for a `knowlog up` that has just begun ..."


def _answers(settings: Local) -> bool:
    """Whether something listens where the settings say that a server does."""
    host = _EVERYWHERE.get(settings.api.host, settings.api.host).strip("[]")
    try:
        with socket.create_connection((host, settings.api.port), timeout=1):
            return True
    except (OSError, OverflowError):
        return False


def server_url(settings: Local | Settings, url: str | None = None) -> str:
    """The server's address: as given, from KNOWLOG_URL, as `knowlog up` left it, or from the settings."""
    found = url or os.environ.get("KNOWLOG_URL") or left_address(settings.data_dir)
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


def left_address(data_dir: Path) -> str | None:
    """Where the server of this data directory was left by `leave_address`; None where there is none."""
    try:
        return (data_dir / "address").read_text().strip() or None
    except OSError:
        return None
