"""Idempotency-Key: a request that is repeated with the same key has its effect once, and gets the same
answer.

The key is claimed, the change made and the answer kept in one transaction: a crash leaves all three or none.
A twin that arrives meanwhile waits for the first to end. Refused requests keep nothing, so that a corrected
one may use the key again.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson

from knowlog.database import Connection, Scope, load_queries
from knowlog.kernel.errors import BadRequest, Invalid

_SQL = load_queries("knowlog.edge")
KEPT = timedelta(hours=24)
_LONGEST_KEY = 255
_REPLAYED = "Idempotency-Replayed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request that changes something is answered: `body` is JSON. `secret` is given out once and never
    kept.
    """

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    secret: dict[str, str] = field(default_factory=dict)

    @property
    def repeated(self) -> bool:
        """Whether this was the answer to an earlier request."""
        return _REPLAYED in self.headers


def fingerprint(*parts: object) -> bytes:
    """Tell one request from another by what it asks for."""
    return hashlib.sha256(orjson.dumps(parts, default=_plain)).digest()


async def once(
    connection: Connection,
    scope: Scope,
    key: str | None,
    request: bytes,
    act: Callable[[], Awaitable[Answer]],
) -> Answer:
    """Do `act` unless the principal had it done with this key within a day; then return the answer given
    then.

    `request` is the request's fingerprint. Raises BadRequest for a key that is malformed, Invalid for one
    that was used for another request. No key: `act` is simply done.
    """
    if key is None:
        return await act()
    check_key(key)
    if not await connection.fetchval(_SQL["claim_key"], scope.principal, key, request, KEPT):
        return await _repeat(connection, scope, key, request)
    return await _act(connection, scope, key, act)


async def kept_answer(connection: Connection, scope: Scope, key: str | None, request: bytes) -> Answer | None:
    """Return the answer that this request was given before, if it was: for what is costly to begin, or may not succeed
    again. It claims nothing, so `once` has to follow. Raises as `once` does.
    """
    if key is None:
        return None
    check_key(key)
    if not await connection.fetchval(_SQL["is_answered"], scope.principal, key, KEPT):
        return None
    return await _repeat(connection, scope, key, request)


async def once_claimed(
    connection: Connection, scope: Scope, key: str, request: bytes, act: Callable[[], Awaitable[Answer]]
) -> Answer:
    """As `once`, for a key that an earlier transaction has claimed: `act` is done by the first that comes here."""
    row = await connection.fetchrow(_SQL["lock_answer"], scope.principal, key)
    if row["response"] is not None or row["request_hash"] != request:
        return await _repeat(connection, scope, key, request)
    return await _act(connection, scope, key, act)


async def _act(
    connection: Connection, scope: Scope, key: str, act: Callable[[], Awaitable[Answer]]
) -> Answer:
    answer = await act()
    kept = {"body": answer.body, "headers": answer.headers}
    await connection.execute(_SQL["store_answer"], scope.principal, key, answer.status, kept)
    return answer


async def _repeat(connection: Connection, scope: Scope, key: str, request: bytes) -> Answer:
    row = await connection.fetchrow(_SQL["stored_answer"], scope.principal, key)
    if row["request_hash"] != request:
        raise Invalid("This Idempotency-Key was used for another request. Use a new key for a new request.")
    headers = {**row["response"]["headers"], _REPLAYED: "true"}
    return Answer(row["status"], row["response"]["body"], headers)


def check_key(key: str) -> None:
    """Raise BadRequest for an Idempotency-Key that is malformed."""
    if not 1 <= len(key) <= _LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise BadRequest(f"An Idempotency-Key has 1 to {_LONGEST_KEY} printable ASCII characters.")


def _plain(part: object) -> str:
    return part.hex() if isinstance(part, bytes) else str(part)
