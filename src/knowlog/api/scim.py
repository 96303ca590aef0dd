"""Provisioning by an identity provider (SCIM 2.0).

Not in the OpenAPI document: the protocol describes itself at /scim/v2/Schemas; its filters, paths and case-blind names
cannot be said there.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from knowlog.api.dependencies import AsProvisioner, Route, TheApp
from knowlog.edge import HANDLED, handle, visit_of

PREFIX = "/scim/v2"
_MEDIA_TYPE = "application/scim+json"
_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
_STATUS = {422: 400}  # what is well-formed and out of range is a bad request here
_ADDRESSES = {
    "/ServiceProviderConfig": ("GET",),
    "/ResourceTypes": ("GET",),
    "/ResourceTypes/{id}": ("GET",),
    "/Schemas": ("GET",),
    "/Schemas/{id}": ("GET",),
    "/Users": ("GET", "POST"),
    "/Users/.search": ("POST",),
    "/Users/{id}": ("GET", "PUT", "PATCH", "DELETE"),
    "/Groups": ("GET", "POST"),
    "/Groups/.search": ("POST",),
    "/Groups/{id}": ("GET", "PUT", "PATCH", "DELETE"),
    "/{rest:path}": ("GET", "POST", "PUT", "PATCH", "DELETE"),
}


class _Route(Route):
    """A route whose refusals are in the protocol's form."""

    def check_query(self, request: Request) -> None:
        """Let everything pass: the protocol's library reads the query itself."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Answer, or refuse as identity providers read it."""
        answer = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await answer(request)
            except HANDLED as error:
                return in_its_form(request.url.path, await handle(request, error))

        return handler


router = APIRouter(prefix=PREFIX, tags=["provisioning"], route_class=_Route, include_in_schema=False)


async def serve(request: Request, caller: AsProvisioner, app: TheApp) -> Response:
    """Keep members and groups for an identity provider."""
    # A server that nobody asks for this does without the library.
    from knowlog.provisioning import Asked, answer

    base = str(request.base_url).rstrip("/") + visit_of(request.scope).prefix + PREFIX
    asked = Asked(
        method=request.method,
        base_url=base,
        path=request.url.path.removeprefix(PREFIX),
        query=dict(request.query_params),
        headers=dict(request.headers),
        body=await request.body(),
    )
    async with app.database.transaction(caller.scope) as connection:
        given = await answer(connection, caller, asked)
    request.state.unchanged = not given.changed
    body = b"" if given.body is None else orjson.dumps(given.body)
    return Response(body, given.status, dict(given.headers), _MEDIA_TYPE)


for _path, _methods in _ADDRESSES.items():
    for _method in _methods:
        router.add_api_route(_path, serve, methods=[_method])


def in_its_form(path: str, refusal: Response) -> Response:
    """A refusal as the protocol has it (RFC 7644, section 3.12), where the address is one of the protocol's."""
    if not path.startswith(f"{PREFIX}/"):
        return refusal
    told = orjson.loads(refusal.body)
    status = _STATUS.get(refusal.status_code, refusal.status_code)
    kind = told.get("scim_type") or ("invalidValue" if refusal.status_code == 422 else None)
    body = {"schemas": [_ERROR], "status": str(status), "detail": told["detail"]}
    kept = {name: value for name, value in refusal.headers.items() if not name.startswith("content-")}
    return Response(orjson.dumps({**body, "scimType": kind} if kind else body), status, kept, _MEDIA_TYPE)
