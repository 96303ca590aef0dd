"""Requests that may be sent again with their Idempotency-Key."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import Depends, Request, Response

from knowlog.api.dependencies import IdempotencyKey, reply_once
from knowlog.bootstrap import App
from knowlog.database import Connection, Scope
from knowlog.edge import Answer, fingerprint, once

Act = Callable[[Connection], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A request that has its effect once, however often it is sent with its key; without one, each time."""

    key: str | None
    asked: bytes

    async def answer(self, app: App, scope: Scope, act: Act) -> Answer:
        """Do `act` in a transaction, or return what it answered before. Raises as `once` does, and what `act` does."""
        async with app.database.transaction(scope) as connection:
            return await once(connection, scope, self.key, self.asked, partial(act, connection))

    async def reply(self, app: App, scope: Scope, act: Act) -> Response:
        """Do as `answer` does, and answer the request with it."""
        return reply_once(await self.answer(app, scope, act))


async def repeatable(request: Request, idempotency_key: IdempotencyKey = None) -> Repeatable:
    """Read what makes a request the same one again: method, address and body."""
    if idempotency_key is None:
        return Repeatable(None, b"")
    asked = fingerprint(request.method, request.scope["path"], request.url.query, await request.body())
    return Repeatable(idempotency_key, asked)


Repeats = Annotated[Repeatable, Depends(repeatable)]
