"""A tenant of the server on this machine, made for its user without being asked for."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from knowlog.cli.answered import Refused
from knowlog.cli.credentials import Kept, keep_key, kept_keys

if TYPE_CHECKING:
    from knowlog.cli.client import Client


def ensure_tenant(url: str, operator_key: str, data_dir: Path, name: str = "default") -> Kept:
    """Return the tenant of this machine: the one whose key is kept first, which commands use by themselves.

    Where no key is kept, a tenant of that name is made, and the key to it kept. A kept key that no longer works (the
    data was deleted, the key revoked) is replaced with a new tenant's.
    """
    kept = next(iter(kept_keys(data_dir).values()), None)
    name = kept["tenant"] if kept else name
    if kept is not None and _works(url, kept["key"]):
        return kept
    from knowlog.cli.client import Client

    with Client(url, operator_key) as client:
        made = client.post("/v1/tenants", {"name": name})
    kept = Kept(tenant=name, tenant_id=made["tenant"]["tenant_id"], key=made["secret"])
    keep_key(data_dir, kept)
    return kept


def ensure_collection(client: "Client", name: str) -> bool:
    """Create the collection unless it is there, and say whether; a key that may not create one can use one that is."""
    if _is_there(client, name):
        return False
    try:
        client.post("/v1/collections", {"name": name})
    except Refused as refused:
        if refused.http_status == 409 and _is_there(client, name):  # made by another meanwhile
            return False
        raise
    return True


def _is_there(client: "Client", name: str) -> bool:
    try:
        client.get(f"/v1/collections/{quote(name, safe='')}")
    except Refused as refused:
        if refused.http_status != 404:
            raise
        return False
    return True


def _works(url: str, key: str) -> bool:
    from knowlog.cli.client import Client

    with Client(url, key) as client:
        try:
            client.get("/v1/collections", limit=1)
        except Refused as refused:
            return refused.http_status != 401
    return True
