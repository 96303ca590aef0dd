"""What handlers ask for, and how they answer."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import orjson
from fastapi import Depends, Header, Path, Query, Request
from fastapi.responses import Response
from pydantic import AfterValidator, AwareDatetime, BaseModel
from starlette.types import Scope as HttpScope

from knowlog.api.recorded import check_recorded
from knowlog.bootstrap import App
from knowlog.edge import Answer, Caller, Open, Operator, ScopedRoute
from knowlog.kernel.errors import BadRequest
from knowlog.kernel.nesting import MOST_LEVELS, holds_nul, too_deep
from knowlog.tenants import Principal

Item = TypeVar("Item")


async def current_app(request: Request) -> App:
    """Return the App that this server serves."""
    app: App = request.app.state.knowlog
    return app


TheApp = Annotated[App, Depends(current_app)]
AsReader = Annotated[Principal, Depends(Caller("reader"))]
AsEditor = Annotated[Principal, Depends(Caller("editor"))]
AsAdmin = Annotated[Principal, Depends(Caller("admin"))]
AsOwner = Annotated[Principal, Depends(Caller("owner"))]
AsAdminOfAll = Annotated[Principal, Depends(Caller("admin", whole=True))]
AsProvisioner = Annotated[Principal, Depends(Caller("provisioner"))]
AS_OPERATOR = Depends(Operator())


def open_to_all(because: str) -> Any:
    """Dependency of a route that anybody may call, and why."""
    return Depends(Open(because))


MOST_PER_PAGE = 200
Limit = Annotated[int, Query(ge=1, le=MOST_PER_PAGE, description="Most items of the page.")]
Cursor = Annotated[str | None, Query(description="next_cursor of the page before.", max_length=500)]
After = Annotated[int, Query(ge=0, le=2**31 - 1, description="Position behind which to go on.")]
IfMatch = Annotated[str | None, Header(description="ETag of the state that the change is meant for.")]
IdempotencyKey = Annotated[
    str | None,
    Header(description="Repeat a request with the same key, and it has its effect once. Kept for 24 hours."),
]
CollectionName = Annotated[str, Path(description="Name or id of a collection.", max_length=200)]


_CURLS_TYPE = "application/x-www-form-urlencoded"
TOO_DEEP = f"nested more than {MOST_LEVELS} levels deep"


def read_json(raw: bytes) -> Any:
    """Read JSON that a client sent. Raises json.JSONDecodeError, or BadRequest when it is nested too deep."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        _require_utf8(raw)
        raise
    if raw.count(b"[") + raw.count(b"{") > MOST_LEVELS and too_deep(value):
        raise BadRequest(f"The JSON is {TOO_DEEP}. Send it flatter.")
    return value


def _require_utf8(raw: bytes) -> None:
    """Raise JSONDecodeError that says where bytes are none; orjson points to the beginning."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        raise orjson.JSONDecodeError(
            "a byte that is no UTF-8 (JSON is sent in it)", before, len(before)
        ) from error


class JsonRequest(Request):
    """A request whose body orjson reads: strict (no NaN, no lone surrogates, bounded depth), and faster."""

    async def json(self) -> Any:
        """Return the body as Python values. Raises as `read_json` does."""
        return read_json(await self.body())


class Route(ScopedRoute):
    """A route of this API."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Find the caller before the body is read, which FastAPI would do first; read it through JsonRequest."""
        answer = super().get_route_handler()

        async def handler(request: Request) -> Response:
            await self.demand(request)
            self.check_query(request)
            scope = _as_json_body(request) if self.body_field else request.scope
            response = await answer(JsonRequest(scope, request.receive, request._send))
            check_recorded(request, self.path, response)
            return response

        return handler


def _as_json_body(request: Request) -> HttpScope:
    """Where JSON alone is taken, a body without a type is read as JSON, and so is what `curl -d` calls a form."""
    if request.headers.get("content-type", _CURLS_TYPE) != _CURLS_TYPE:
        return request.scope
    others = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
    return {**request.scope, "headers": [*others, (b"content-type", b"application/json")]}


def reply(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with JSON. What a handler returns is of our own making, so it is written without being validated
    again.
    """
    return Response(orjson.dumps(body, default=_plain), status, headers, "application/json")


def reply_once(answer: Answer) -> Response:
    """Answer a request that may be repeated."""
    return reply(
        {**answer.body, **answer.secret} if answer.secret else answer.body, answer.status, answer.headers
    )


def as_json(value: object) -> Any:
    """Turn dataclasses, ids and times into what JSON can hold, as it is kept for an Idempotency-Key."""
    return orjson.loads(orjson.dumps(value, default=_plain))


def without_nul(text: str) -> str:
    """Check text on its way to the database, which cannot hold NUL."""
    if "\0" in text:
        raise ValueError("must not hold the NUL character")
    return text


NO_NUL = AfterValidator(without_nul)
Text = Annotated[str, NO_NUL]


def in_utc(moment: datetime) -> datetime:
    """Bring a moment to UTC, which may lead out of the years that there are."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must lie within the years 1 to 9999 of UTC") from error


Moment = Annotated[AwareDatetime, AfterValidator(in_utc)]


def storable(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """Check a JSON object on its way to the database."""
    if too_deep(value):
        raise ValueError(f"must not be {TOO_DEEP}")
    if value is not None and holds_nul(orjson.dumps(value)):
        raise ValueError("must not hold the NUL character")
    return value


JsonObject = Annotated[dict[str, Any], AfterValidator(storable)]


def _plain(value: object) -> Any:
    if isinstance(value, UUID):  # asyncpg's own kind of it
        return str(value)
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
