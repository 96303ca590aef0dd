"""Sending files to a server, and watching what becomes of them."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

import orjson

from knowlog.cli.answered import Refused
from knowlog.cli.files import SourceFile, open_regular, readable
from knowlog.cli.output import one_line, say
from knowlog.cli.pieces import LARGE_BYTES, send_in_pieces
from knowlog.kernel.errors import Invalid, Unavailable
from knowlog.kernel.wording import counted

if TYPE_CHECKING:
    from knowlog.cli.client import Client

_AT_ONCE = 4
_LOOKED_AT = 8
_FIRST_POLL_S, _LONGEST_POLL_S = 0.05, 0.5
_LONG_S = 30.0
_REPORT_S = 20.0
"""A worker that embeds reports more often than this, however slow its machine is."""
_OF_THE_FILE = frozenset(
    {400, 413, 415, 422}
)  # what is wrong with one file; other refusals hold for all of them

Seen = Callable[[int], None]
"""Told how many more files have come to their end."""
Make = Callable[[], object]
"""Makes the collection."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file.

    `change` is created, updated, relabelled (other metadata, the same bytes) or unchanged; None when it was refused
    or not readable.
    """

    external_id: str
    document_id: str | None
    change: str | None
    state: str
    reason: str | None = None

    @property
    def failed_earlier(self) -> bool:
        """Whether these very bytes had failed before, and were not tried again."""
        return self.state == "failed" and self.change in ("unchanged", "relabelled")

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state in ("indexed", "failed")


def upload_files(
    client: "Client",
    collection: str,
    files: Sequence[SourceFile],
    metadata: Mapping[str, Any],
    seen: Seen,
    make: Make | None = None,
) -> list[Outcome]:
    """Upload each file; the server skips those whose bytes it has. Outcomes are in the order of the files.

    A file that cannot be read or is refused is an outcome; everything else that goes wrong is raised. `make` is called
    where the first file would be taken and there is no such collection; files that are refused make none.
    """
    making = _Making(make) if make else None

    def send(file: SourceFile) -> Outcome:
        outcome = _upload(client, collection, file, metadata, making)
        if outcome.settled:
            seen(1)
        return outcome

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            return list(pool.map(send, files))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


class _Making:
    """Makes the collection, once, whoever asks first. One that was there and is deleted meanwhile is not made anew: it
    would come without its profile and its lists.
    """

    def __init__(self, make: Make) -> None:
        self._make = make
        self._is_there = False
        self._lock = Lock()

    def __call__(self) -> None:
        with self._lock:
            if not self._is_there:
                self._make()
                self._is_there = True

    def seen(self) -> None:
        """A file was taken."""
        self._is_there = True


def await_indexing(client: "Client", outcomes: Sequence[Outcome], seen: Seen) -> list[Outcome]:
    """Watch until every document is indexed or has failed.

    Looks at a few at a time, as workers take them in order.
    """
    final = list(outcomes)
    pending = [number for number, outcome in enumerate(final) if not outcome.settled]
    pause_s, patience = _FIRST_POLL_S, _Patience(client)
    while pending:
        settled = set()
        for number in pending[:_LOOKED_AT]:
            document = client.get(f"/v1/documents/{final[number].document_id}")
            if document["state"] != final[number].state:
                patience.renew()
            final[number] = replace(final[number], state=document["state"], reason=document["reason"])
            if final[number].settled:
                settled.add(number)
                seen(1)
        pending = [number for number in pending if number not in settled]
        pause_s = _FIRST_POLL_S if settled else min(pause_s * 1.5, _LONGEST_POLL_S)
        patience.look([final[number] for number in pending[:_LOOKED_AT]])
        if pending and len(settled) < _LOOKED_AT:
            time.sleep(pause_s)
    return final


class _Patience:
    """Tells, now and then, what is going on while no document comes to its end: how far a long one is, or that nothing
    moves.
    """

    def __init__(self, client: "Client", long_s: float = _LONG_S) -> None:
        self._client = client
        self._long_s = long_s
        self.renew()

    def renew(self) -> None:
        """Something has moved."""
        self._since = time.monotonic()

    def look(self, pending: Sequence[Outcome]) -> None:
        """Say something if it is time to. `pending`: the documents whose turn it is."""
        if not pending or time.monotonic() - self._since < self._long_s:
            return
        embedded = next((each for each in pending if each.state == "embedding"), None)
        far = self._how_far(embedded) if embedded else None
        if far is None:
            say(
                f"Nothing has moved for {self._long_s:.0f} s. `knowlog doctor` says whether a worker runs; Ctrl-C stops"
                " waiting, not the work."
            )
        elif embedded:
            say(f"{one_line(embedded.external_id)} is long: {far}.")
        self.renew()

    def _how_far(self, document: Outcome) -> str | None:
        """How much of a document is embedded, as soon as a worker reports it; None where none does in a while."""
        events = self._client.stream(
            "GET", f"/v1/documents/{document.document_id}/events", within_s=_REPORT_S
        )
        with suppress(Unavailable), closing(events):
            for each in events:
                if each.event == "progress":
                    return f"{each.data['embedded']:,} of {counted(each.data['chunks'], 'chunk')} embedded"
                if each.event == "state" and each.data["state"] != document.state:
                    return "it has just been embedded"
        return None


def _upload(
    client: "Client",
    collection: str,
    file: SourceFile,
    metadata: Mapping[str, Any],
    making: _Making | None,
) -> Outcome:
    """Upload one file. The server looks at it before it looks for the collection: one that is refused makes none."""
    fields = {"external_id": file.external_id}
    if metadata:
        fields["metadata"] = orjson.dumps(metadata).decode()
    try:
        with open_regular(file.path) as content:
            item = _send(client, collection, content, {"filename": readable(file.path.name), **fields})
    except OSError as error:
        return Outcome(file.external_id, None, None, "failed", f"It cannot be read: {error.strerror}.")
    except Invalid as error:
        return Outcome(file.external_id, None, None, "failed", error.detail)
    except Refused as refused:
        if refused.http_status == 404 and making is not None:
            making()
            return _upload(client, collection, file, metadata, None)
        if refused.http_status not in _OF_THE_FILE:
            raise
        return Outcome(file.external_id, None, None, "failed", refused.detail)
    if making is not None:
        making.seen()
    reason = _reason(client, item["document_id"]) if item["state"] == "failed" else None
    return Outcome(file.external_id, item["document_id"], item["outcome"], item["state"], reason)


def _send(
    client: "Client", collection: str, content: BinaryIO, described: Mapping[str, str]
) -> dict[str, Any]:
    """Send a file, a large one in pieces. Returns what became of it."""
    if os.fstat(content.fileno()).st_size >= LARGE_BYTES:
        return send_in_pieces(client, collection, content, dict(described))
    fields = {name: value for name, value in described.items() if name != "filename"}
    received = client.call(
        "POST", f"/v1/collections/{quote(collection, safe='')}/documents", repeatable=True,
        data=fields, files={"file": (described["filename"], content)}, timeout=600,
    )  # fmt: skip
    item: dict[str, Any] = received["items"][0]
    return item


def _reason(client: "Client", document_id: str) -> str | None:
    reason: str | None = client.get(f"/v1/documents/{document_id}")["reason"]
    return reason
