"""The web application: one page, answered at every address of its own, and the files that it loads.

They are built from `web/` and lie in the package. The page names its files by their content, so that a browser or a CDN
keeps those for good and asks for the page alone. Its policy lets in nothing that is not from here, and no script or
style that stands in the page itself.
"""

import re
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.responses import FileResponse, HTMLResponse

from knowlog.api.dependencies import Route, open_to_all
from knowlog.edge import handle
from knowlog.kernel.errors import NotFound

BUILT = Path(__file__).resolve().parents[1] / "web"
PAGES = ("documents", "search", "chunks", "evaluation", "operations", "people", "accept", "reset")
"""First names of the addresses at which the page is. The list in web/src/pages.ts says which file shows what."""
READ = ["GET", "HEAD"]
"""A CDN, or who looks whether a link leads anywhere, asks for the head alone."""
_PROGRAMS = ("/v1/", "/scim/", "/assets/")

router = APIRouter(
    include_in_schema=False,
    route_class=Route,
    dependencies=[open_to_all("it is the same for everybody, and holds no tenant's data")],
)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; connect-src 'self';"
    " worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {
    ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml",
    ".woff2": "font/woff2", ".bcmap": "application/octet-stream",
}  # fmt: skip
_NAME = re.compile(r"[\w.-]{1,100}")
_NOT_BUILT = """<!doctype html><html lang="en"><title>knowlog</title><h1>The web application is not built</h1>
<p>This knowlog runs from its sources. Build the application with <code>make web</code>, then load this page again;
installed with <code>pip install</code> it is there at once. The <a href="/docs">HTTP API</a> and the command line
work without it.</p>"""


async def page() -> Response:
    """Answer the page. It is looked for anew each time, so that a new release shows at once."""
    return _page(200)


def _page(status: int) -> Response:
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache", "Vary": "Accept"}
    if not (BUILT / "index.html").is_file():
        return HTMLResponse(_NOT_BUILT, 503, headers)
    return FileResponse(BUILT / "index.html", status, headers, media_type="text/html")


async def absent(request: Request, caught: Exception) -> Response:
    """Answer an address that is none: to a browser in the page's words, but for the API's (an exception handler)."""
    if request.method in READ and wants_page(request) and not request.url.path.startswith(_PROGRAMS):
        return _page(404)
    return await handle(request, caught)


for _name in PAGES:
    router.add_api_route(f"/{_name}", page, methods=READ)
    router.add_api_route(f"/{_name}/{{rest:path}}", page, methods=READ)


@router.api_route("/assets/{name}", methods=READ)
async def asset(name: str, request: Request) -> Response:
    """Answer one of the page's files, compressed where the browser takes that."""
    path = BUILT / "assets" / name
    kind = _TYPES.get(path.suffix) if _NAME.fullmatch(name) else None
    if kind is None or path.parent != BUILT / "assets" or not path.is_file():
        raise NotFound("The web application has no such file. Load its page anew: there is a new release.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    packed = path.with_name(f"{name}.gz")
    if "gzip" in request.headers.get("accept-encoding", "") and packed.is_file():
        return FileResponse(packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=kind)
    return FileResponse(path, headers=headers, media_type=kind)


def wants_page(request: Request) -> bool:
    """Say whether a browser asks, for something to show, rather than a program."""
    return "text/html" in request.headers.get("accept", "")
