"""Sending a large file in pieces, so that what has arrived is not sent again: not after a pause, nor by the next run."""

import os
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

from knowlog.cli.answered import Refused
from knowlog.kernel.errors import Invalid

if TYPE_CHECKING:
    from knowlog.cli.client import Client

PIECE_BYTES = 8 * 1024 * 1024
LARGE_BYTES = 2 * PIECE_BYTES
"""From here on a file goes in pieces."""
_ELSEWHERE = 409
_KIND = "application/offset+octet-stream"


def send_in_pieces(
    client: "Client", collection: str, content: BinaryIO, told: Mapping[str, str]
) -> dict[str, Any]:
    """Send a file, from where an earlier run has left off. `told`: what is said of it.

    Returns what became of it, as an upload in one is answered. Raises as `Client.call` does, and Invalid for a file that
    has become shorter meanwhile.
    """
    status = os.fstat(content.fileno())
    words = {**told, "fingerprint": f"{status.st_size}-{status.st_mtime_ns}"}
    headers = {"Upload-Length": str(status.st_size), "Upload-Metadata": _metadata(words)}
    path = f"/v1/collections/{quote(collection, safe='')}/uploads"
    state = client.call("POST", path, repeatable=True, headers=headers)
    place = f"/v1/uploads/{state['upload_id']}"
    while state["taken"] is None:
        content.seek(state["received_bytes"])
        piece = content.read(min(PIECE_BYTES, status.st_size - state["received_bytes"]))
        if not piece:
            raise Invalid("It became shorter while it was sent. Send it again when it is finished.")
        _send(client, place, state["received_bytes"], piece)
        state = client.get(place)
    taken: dict[str, Any] = state["taken"]
    return taken


def _send(client: "Client", place: str, offset: int, piece: bytes) -> None:
    """Send a piece. One that was sent twice, because its answer was lost, is kept once: then the second is refused."""
    headers = {"Upload-Offset": str(offset), "Content-Type": _KIND}
    try:
        client.call("PATCH", place, content=piece, headers=headers, timeout=600)
    except Refused as refused:
        if refused.http_status != _ELSEWHERE:
            raise


def _metadata(words: Mapping[str, str]) -> str:
    return ",".join(f"{name} {b64encode(value.encode()).decode()}" for name, value in words.items())
