"""What comes in under fire: documents in several versions, sent by a client that does not give up."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

import httpx
import orjson

from knowlog.cli.bench.system import System
from knowlog.database import Database
from knowlog.kernel.errors import InternalError, KnowlogError, Unavailable

VERSIONS = 5
_GROUP = 50
_MOST_WAITING = 1500
_PAUSE_S = 0.1
_MOST_TRIES = 3000
_COLLECTION = "chaos"
_THERE = 409
"""What a collection's creation answers when its first try succeeded, and only the answer was lost."""


def text_of(number: int, version: int) -> str:
    """What a document says in one of its versions."""
    return f"Note {number}, as it stands in version {version}."


def name_of(number: int) -> str:
    """The external id of a document."""
    return f"note-{number}"


class Workload:
    """Documents in groups; each version of a group is sent when the one before has been acknowledged."""

    def __init__(self, system: System, database: Database, events: int) -> None:
        self.documents = -(-events // VERSIONS)
        self.count = self.documents * VERSIONS
        self.acknowledged = 0
        self._database = database
        self._http = httpx.AsyncClient(
            base_url=system.url, timeout=30, headers={"Authorization": f"Bearer {system.key}"}
        )

    async def prepare(self) -> None:
        """Make the collection."""
        await self._patiently(
            "POST", "/v1/collections", content=orjson.dumps({"name": _COLLECTION}), enough=(_THERE,)
        )

    async def upload(self, seen: Callable[[int], None]) -> None:
        """Send everything, and no quicker than it is handled."""
        for start in range(0, self.documents, _GROUP):
            numbers = range(start, min(start + _GROUP, self.documents))
            for version in range(1, VERSIONS + 1):
                await self._until_room()
                await self._send(numbers, version)
                self.acknowledged += len(numbers)
                seen(self.acknowledged)

    async def finish(self) -> None:
        """Wait until the API answers: it may have been killed last."""
        await self._patiently("GET", "/v1/collections")
        await self._http.aclose()

    async def _send(self, numbers: range, version: int) -> None:
        texts = [{"external_id": name_of(number), "text": text_of(number, version)} for number in numbers]
        response = await self._patiently(
            "POST", f"/v1/collections/{_COLLECTION}/documents:batch", content=orjson.dumps(texts)
        )
        taken = [item["external_id"] for item in response.json()["items"]]
        if taken != [text["external_id"] for text in texts]:
            raise InternalError(
                f"{len(texts)} documents were sent, and the answer names others: {len(taken)}."
            )

    async def _patiently(
        self, method: str, path: str, *, enough: tuple[int, ...] = (), **options: Any
    ) -> httpx.Response:
        """Repeat a call until it succeeds, or answers a status that is `enough`: what had been done before an answer
        was lost is found unchanged.
        """
        for _ in range(_MOST_TRIES):
            try:
                response = await self._http.request(
                    method, path, headers={"Content-Type": "application/json"}, **options
                )
            except httpx.TransportError:
                await asyncio.sleep(_PAUSE_S)
                continue
            if response.status_code < 400 or response.status_code in enough:
                return response
            if response.status_code not in (429, 502, 503, 504):
                raise InternalError(f"{method} {path} answered {response.status_code}: {response.text:.300}")
            await asyncio.sleep(_PAUSE_S)
        raise Unavailable(f"{method} {path} was not answered in {_MOST_TRIES * _PAUSE_S:.0f} s.")

    async def _until_room(self) -> None:
        async def has_room() -> bool:
            return await waiting(self._database) <= _MOST_WAITING

        await until(has_room)


async def until(condition: Callable[[], Awaitable[bool]], timeout_s: float = math.inf) -> float:
    """Look again and again until the condition holds or the time is over. Returns the seconds that took."""
    began = monotonic()
    while True:
        if await condition() or monotonic() - began > timeout_s:
            return monotonic() - began
        await asyncio.sleep(_PAUSE_S)


async def waiting(database: Database) -> int:
    """How many events wait or run; patient with a database that has just been killed."""
    for _ in range(_MOST_TRIES):
        try:
            async with database.system() as connection:
                row = await connection.fetchrow("select waiting + running as unfinished from queue_depth()")
            return int(row["unfinished"])
        except KnowlogError:
            await asyncio.sleep(_PAUSE_S)
    raise Unavailable("The database did not come back.")
