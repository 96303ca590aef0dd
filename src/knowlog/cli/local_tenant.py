"""A tenant of the server on this machine, made for its user without being asked for."""

from pathlib import Path
from urllib.parse import quote

from knowlog.cli.client import Client, Refused
from knowlog.cli.credentials import Kept, keep_key, kept_keys


def ensure_tenant(url: str, operator_key: str, data_dir: Path, name: str) -> Kept:
    """Return the kept tenant of that name, or create it and keep the key to it.

    A kept key that no longer works (the data was deleted, the key revoked) is replaced with a new tenant's.
    """
    kept = kept_keys(data_dir).get(name)
    if kept is not None and _works(url, kept["key"]):
        return kept
    with Client(url, operator_key) as client:
        made = client.post("/v1/tenants", {"name": name})
    kept = Kept(tenant=name, tenant_id=made["tenant"]["tenant_id"], key=made["secret"])
    keep_key(data_dir, kept)
    return kept


def ensure_collection(client: Client, name: str) -> None:
    """Create the collection unless it is there; a key that may not create one can use one that is."""
    try:
        client.get(f"/v1/collections/{quote(name, safe='')}")
    except Refused as refused:
        if refused.http_status != 404:
            raise
        client.post("/v1/collections", {"name": name})


def _works(url: str, key: str) -> bool:
    with Client(url, key) as client:
        try:
            client.get("/v1/collections", limit=1)
        except Refused as refused:
            return refused.http_status != 401
    return True
