"""What requests and answers of several nouns have in common, as the OpenAPI document shows it."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Item = TypeVar("Item")


class Problem(BaseModel):
    """Why a request was refused (RFC 9457). `detail` says in a sentence what is wrong and what to do."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "urn:knowlog:problem:not-found",
                "title": "Not found",
                "status": 404,
                "detail": "There is no such document.",
                "code": "not-found",
                "request_id": "0199e1b2c3d47f0e8a7b6c5d4e3f2a1b",
            }
        },
    )

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable name of the kind of error, for programs.")
    request_id: str


class Listing(BaseModel, Generic[Item]):
    """One page of a list. `next_cursor` is null on the last."""

    items: list[Item]
    next_cursor: str | None


class Body(BaseModel):
    """A request's body: members that it does not know are refused, so that a misspelt one is not ignored."""

    model_config = ConfigDict(extra="forbid")


_MEANINGS = {
    400: "The request cannot be read.",
    401: "No API key, or one that is not valid.",
    403: "The key may not do this.",
    404: "Absent, or not visible to the key.",
    405: "This address does not answer that method.",
    409: "Clashes with what is there.",
    412: "If-Match names another state.",
    413: "The body is over the limit.",
    415: "A kind of file that no parser reads.",
    416: "The file has no such bytes.",
    422: "A value is not acceptable.",
    429: "Too much for now; Retry-After says when to come back.",
    431: "The headers, or the address, are over the limit.",
    507: "No room for more bytes; Retry-After says when to come back.",
    503: "Something that this rests on is down; Retry-After says when to come back.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the refusals of a route: these, and those that every route has."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": _MEANINGS[status], "content": {"application/problem+json": schema}}
        for status in sorted({400, 401, 403, 422, 429, 431, 503, *statuses})
    }
