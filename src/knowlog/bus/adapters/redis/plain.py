"""A stream of others."""

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

import orjson

from knowlog.bus.adapters.lanes import FAILS_AFTER_S
from knowlog.bus.adapters.redis.calls import in_time
from knowlog.bus.port import Delivery, Message
from knowlog.kernel.errors import KnowlogError

if TYPE_CHECKING:
    from knowlog.bus.adapters.redis.broker import RedisBroker

_READER = "knowlog"
_LOOK_BACK_S = 15.0
_FEW = 8
_TOGETHER_BYTES = 32 * 2**20
"""Redis counts entries and not their bytes: so few are asked for at a time, and no more beyond so many bytes."""
_BODIES = ("data", "body", "message", "payload")


class PlainRedis:
    """A stream of others, read by one consumer at a time. Nothing is deleted from it."""

    def __init__(self, broker: "RedisBroker", stream: str, group: str) -> None:
        self._redis, self._stream, self._group = broker.redis, stream, group
        self._joined = False
        self._behind: bytes | None = b"0-0"
        """Where to look for what a former reader has left unsettled; None when that is done."""
        self._looked = 0.0

    async def receive(self, most: int, wait_s: float) -> list[Delivery]:
        """Return what was left unsettled before, then what is new."""
        if not self._joined:
            await self._join()
        if self._behind is not None and (found := await self._left(min(most, _FEW))):
            return found
        found = await self._new(min(most, _FEW), wait_s)
        if not found and monotonic() - self._looked > _LOOK_BACK_S:
            self._behind = b"0-0"
        more = found
        while len(more) == _FEW and len(found) < most and _bytes(found) < _TOGETHER_BYTES:
            more = await self._new(min(most - len(found), _FEW), 0)
            found += more
        return found

    async def _new(self, most: int, wait_s: float) -> list[Delivery]:
        block = max(1, int(wait_s * 1000)) if wait_s else None
        reading = self._redis.xreadgroup(self._group, _READER, {self._stream: ">"}, count=most, block=block)
        answer = await in_time(reading, FAILS_AFTER_S + wait_s)
        return [_delivery(*entry) for _, entries in answer or () for entry in entries]

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge."""
        if deliveries:
            ids = [each.receipt for each in deliveries]
            await in_time(self._redis.xack(self._stream, self._group, *ids))

    async def _join(self) -> None:
        try:
            await in_time(self._redis.xgroup_create(self._stream, self._group, id="0", mkstream=True))
        except KnowlogError as error:
            if "BUSYGROUP" not in str(error.__cause__):
                raise
        self._joined = True

    async def _left(self, most: int) -> list[Delivery]:
        """What was delivered and not acknowledged, oldest first; entries that were trimmed meanwhile are passed over."""
        while self._behind is not None:
            cursor, entries, *_ = await in_time(
                self._redis.xautoclaim(
                    self._stream, self._group, _READER, 0, start_id=self._behind, count=most
                )
            )
            self._behind = None if cursor == b"0-0" else cursor
            self._looked = monotonic()
            if found := [_delivery(entry, fields) for entry, fields in entries if fields]:
                return found
        return []


def _bytes(found: Sequence[Delivery]) -> int:
    return sum(len(each.message.body) for each in found)


def _delivery(entry: bytes, fields: dict[bytes, bytes]) -> Delivery:
    """The body is the field named data, body, message or payload, or the only one; else all fields as a JSON object."""
    text = {name.decode(errors="replace"): value for name, value in fields.items()}
    held = next((name for name in _BODIES if name in text), next(iter(text)) if len(text) == 1 else None)
    headers = {name.lower(): value.decode(errors="replace") for name, value in text.items() if name != held}
    if held is None:
        body = orjson.dumps({name: value.decode(errors="replace") for name, value in text.items()})
    else:
        body = text[held]
    return Delivery(Message("", entry.decode(), body), receipt=entry, headers=headers)
