"""The OpenAPI document and the page that shows it. The page's script lies in a package of ours: nothing is
loaded from
elsewhere, so that it works offline and no other server learns who reads it.
"""

from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse, Response

from knowlog import __version__
from knowlog.api.dependencies import Route, open_to_all
from knowlog.api.model import Problem
from knowlog.kernel.errors import NotFound

router = APIRouter(
    include_in_schema=False,
    route_class=Route,
    dependencies=[open_to_all("it shows what the API is, to people")],
)

_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ABOUT = """Documents in, answers with checkable citations out.

Send `Authorization: Bearer <API key>` with every call. Errors are problem documents (RFC 9457): `detail` says
what is wrong and what to do, `code` names the kind of error for programs. Lists have `next_cursor`; POSTs
that create take an `Idempotency-Key`; offsets count Unicode code points of a version's text, and
`text[start:end]` is what a citation quotes.
"""


@router.get("/docs")
async def page() -> Response:
    """Show the API to a person, who can try it there."""
    html: HTMLResponse = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="knowlog API",
        swagger_js_url="/docs/swagger-ui-bundle.js",
        swagger_css_url="/docs/swagger-ui.css",
        swagger_favicon_url="/docs/favicon.png",
    )
    html.headers["Content-Security-Policy"] = _POLICY
    return html


@router.get("/docs/{asset}")
async def asset(asset: str) -> Response:
    """Give the script, style and icon of the page."""
    if asset not in _ASSETS:
        raise NotFound("The documentation page has no such part.")
    content = files("fastapi_offline").joinpath("static", asset).read_bytes()
    return Response(content, headers={"Cache-Control": "public, max-age=86400"}, media_type=_ASSETS[asset])


def describe_api(api: FastAPI) -> dict[str, Any]:
    """Make the OpenAPI document, once."""
    if api.openapi_schema is None:
        made = get_openapi(title="knowlog", version=__version__, description=_ABOUT, routes=api.routes)
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        api.openapi_schema = made
    return api.openapi_schema
