"""Sessions of browsers: tokens in cookies that no script reads, and a token against forged requests that one does.

`__Host-` cookies come from this host alone and over TLS alone. The access token travels with links that lead here (Lax),
the refresh token with requests of our own pages only (Strict). A request that changes something must also name, in a
header, the token that the page was given: no other site can read it, and none can send the header.
"""

import re
from hmac import compare_digest
from secrets import token_urlsafe

from starlette.requests import Request
from starlette.responses import Response

from knowlog.kernel.errors import Forbidden
from knowlog.tenants import Opened, is_guarded

CSRF_HEADER = "x-csrf-token"
_BROWSER = re.compile(r"[A-Za-z0-9_-]{43}")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORGED = (
    "A request with cookies that changes something needs the header X-CSRF-Token, with the csrf_token that came with"
    " them."
)


class Cookies:
    """Sets, reads and clears them. `insecure`: without TLS, for development."""

    def __init__(self, session_days: int, *, insecure: bool) -> None:
        prefix = "knowlog" if insecure else "__Host-knowlog"
        self._access, self._refresh, self._csrf = (
            f"{prefix}-{each}" for each in ("access", "refresh", "csrf")
        )
        self._browser = f"{prefix}-sign-on"
        self._secure = not insecure
        self._session_s = session_days * 86400

    def give(self, response: Response, opened: Opened) -> None:
        """Put the tokens of a session into an answer."""
        self._set(response, self._access, opened.access_token, opened.expires_in_s, "lax")
        self._set(response, self._refresh, opened.refresh_token, self._session_s, "strict")
        self._set(response, self._csrf, opened.csrf_token, self._session_s, "strict", hidden=False)

    def take_back(self, response: Response) -> None:
        """Let the browser forget them."""
        for name in (self._access, self._refresh, self._csrf):
            response.delete_cookie(name, path="/", secure=self._secure, httponly=True, samesite="strict")

    def access_token(self, request: Request) -> str | None:
        """The access token that came in a cookie."""
        return request.cookies.get(self._access)

    def refresh_token(self, request: Request) -> str | None:
        """The refresh token that came in a cookie."""
        return request.cookies.get(self._refresh)

    def browser(self, request: Request) -> str | None:
        """The secret by which a browser that has begun to sign in by a provider is known again; None without one."""
        found = request.cookies.get(self._browser, "")
        return found if _BROWSER.fullmatch(found) else None

    def know_browser(self, response: Response, known: str, age_s: int) -> None:
        """Let the browser keep that secret. Coming back from the provider is following a link, so it is Lax."""
        self._set(response, self._browser, known, age_s, "lax")

    def _set(
        self, response: Response, name: str, value: str, age_s: int, same_site: str, *, hidden: bool = True
    ) -> None:
        response.set_cookie(
            name, value, max_age=age_s, path="/", secure=self._secure, httponly=hidden,
            samesite=same_site,  # type: ignore[arg-type]
        )  # fmt: skip


def new_browser() -> str:
    """A secret for a browser."""
    return token_urlsafe(32)


def check_forgery(request: Request, access_token: str) -> None:
    """Raise Forbidden for a request with cookies that changes something, unless it names the session's own token."""
    if request.method not in _SAFE and not is_guarded(access_token, request.headers.get(CSRF_HEADER, "")):
        raise Forbidden(_FORGED)


def check_named(request: Request, expected: str | None) -> None:
    """The same, where the token is known: for a refresh token in a cookie."""
    offered = request.headers.get(CSRF_HEADER, "")
    if expected is None or not compare_digest(offered.encode(), expected.encode()):
        raise Forbidden(_FORGED)
