"""Errors as problem documents (RFC 9457)."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match

from knowlog.edge.visit import visit_of
from knowlog.kernel.errors import (
    BadRequest,
    InternalError,
    Invalid,
    KnowlogError,
    Misconfigured,
    NotFound,
    TooLarge,
    Unavailable,
    UnsupportedType,
)
from knowlog.kernel.wording import wrong_with

Value = TypeVar("Value")
MEDIA_TYPE = "application/problem+json"
_OURS: Mapping[int, type[KnowlogError]] = {
    400: BadRequest,
    404: NotFound,
    413: TooLarge,
    415: UnsupportedType,
    422: Invalid,
    503: Unavailable,
}
_log = logging.getLogger("knowlog.edge")


class MethodNotAllowed(KnowlogError):
    """The address exists, and answers other methods."""

    status: ClassVar[int] = 405
    code: ClassVar[str] = "method-not-allowed"


class RequestTimeout(KnowlogError):
    """The client stopped sending before its request was complete."""

    status: ClassVar[int] = 408
    code: ClassVar[str] = "request-timeout"


class HeadersTooLarge(KnowlogError):
    """Request line and headers together are over the limit."""

    status: ClassVar[int] = 431
    code: ClassVar[str] = "headers-too-large"


def problem_document(error: KnowlogError, request_id: str) -> dict[str, Any]:
    """Render an error as the members of its problem document."""
    extra = {name: value for name, value in error.extra.items() if value is not None}
    return {
        "type": f"urn:knowlog:problem:{error.code}",
        "title": error.code.replace("-", " ").capitalize(),
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
        **extra,
    }


def response(error: KnowlogError, request_id: str) -> Response:
    """Render an error as a response."""
    body = orjson.dumps(problem_document(error, request_id), default=str)
    return Response(body, error.status, _headers(error), MEDIA_TYPE)


def as_error(caught: Exception) -> KnowlogError:
    """Turn whatever a handler raised into an error of ours, without internals in its words."""
    if isinstance(caught, Misconfigured):
        _log.error("misconfigured: %s", caught.detail)
        return InternalError("The server is not set up correctly. Its operator finds the reason in the log.")
    if isinstance(caught, KnowlogError):
        return caught
    if isinstance(caught, RequestValidationError):
        return _validation(caught.errors())
    if isinstance(caught, HTTPException):
        return _http(caught)
    _log.error("unhandled error", exc_info=caught)
    return InternalError(
        "Something went wrong on the server. Nothing is known to be lost; try again, and report the id."
    )


async def handle(request: Request, caught: Exception) -> Response:
    """Answer a request whose handler raised (an exception handler of FastAPI)."""
    error = as_error(caught)
    if error.status == 405:
        error.extra.setdefault("allow", _allowed_methods(request))
    if "limit" in error.extra:
        request.app.state.metrics.limit_reached(error.extra["limit"])
    return response(error, visit_of(request.scope).request_id)


HANDLED: tuple[type[Exception], ...] = (KnowlogError, RequestValidationError, HTTPException)
"""What `handle` is registered for. Everything else reaches the edge itself."""


def check_body(kind: TypeAdapter[Value], value: object) -> Value:
    """Validate a body that a handler reads by itself. Raises Invalid as FastAPI's own validation does."""
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        raise _validation(error.errors(include_url=False)) from error


GONE = ClientDisconnect
"""Raised where the client left before its request was complete."""


def _headers(error: KnowlogError) -> dict[str, str]:
    headers: dict[str, str] = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if "retry_after_s" in error.extra or not error.permanent:
        headers["Retry-After"] = str(max(1, round(error.extra.get("retry_after_s", 1))))
    if "allow" in error.extra:
        headers["Allow"] = ", ".join(error.extra.pop("allow"))
    return headers


def _http(caught: HTTPException) -> KnowlogError:
    if isinstance(caught.__cause__, KnowlogError):
        return caught.__cause__
    if caught.status_code == 404:
        return NotFound(
            "There is nothing at this address. The addresses that exist are listed at /docs; an id in one is whole,"
            " such as 0199e1b2-c3d4-7f0e-8a7b-6c5d4e3f2a1b."
        )
    if caught.status_code == 405:
        return MethodNotAllowed(
            "This address does not answer that method; the Allow header says which it does."
        )
    if caught.status_code == 400:
        return BadRequest(f"The request cannot be read: {str(caught.detail).rstrip('.')}.")
    return _OURS.get(caught.status_code, InternalError)(str(caught.detail))


def _validation(errors: Sequence[Any]) -> KnowlogError:
    if errors[0]["type"] == "json_invalid":
        where, why = errors[0]["loc"][-1], errors[0].get("ctx", {}).get("error", "").rstrip(".")
        return BadRequest(f"The body is not valid JSON: {why} at character {where}. Correct it there.")
    errors = _own(errors)
    found = [{"where": _where(error["loc"]), "problem": wrong_with(error)} for error in errors[:20]]
    more = f" ({len(errors) - 1} more below)" if len(errors) > 1 else ""
    first = found[0]
    if first == {"where": "body", "problem": "is missing"}:
        return Invalid(
            "The body is missing. Send a JSON object, which may be empty ({}) where no member is required.",
            errors=found,
        )
    if first["where"] == "body" and isinstance(errors[0].get("input"), bytes):
        return Invalid(
            "The body was not sent as JSON. Send it with Content-Type: application/json.", errors=found
        )
    return Invalid(f"{_subject(first['where'])} {first['problem']}{more}.", errors=found)


def _own(errors: Sequence[Any]) -> list[Any]:
    """The errors without those of a list that is too short only because what is wrong was left out of it."""
    within = {error["loc"][:length] for error in errors for length in range(1, len(error["loc"]))}
    return [error for error in errors if error["type"] != "too_short" or error["loc"] not in within]


def _where(location: Sequence[str | int]) -> str:
    parts = [str(part) for part in location]
    return ".".join(parts[1:] if parts[:1] == ["body"] and len(parts) > 1 else parts) or "body"


def _subject(where: str) -> str:
    """The name of a value at the beginning of a sentence."""
    return "The body" if where == "body" else where.removeprefix("path.").removeprefix("query.")


def _allowed_methods(request: Request) -> list[str]:
    allowed: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            allowed |= set(getattr(route, "methods", None) or ())
    return sorted(allowed)
