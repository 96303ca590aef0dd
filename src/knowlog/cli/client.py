"""The HTTP API, as a terminal calls it."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import httpx
import orjson

from knowlog import __version__
from knowlog.cli.answered import Refused, ServerEvent
from knowlog.kernel.errors import Invalid, KnowlogError, Misconfigured, Unavailable

__all__ = ["Client", "Refused", "ServerEvent"]

_REPEATABLE = frozenset({"GET", "PUT", "PATCH"})
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout)
_PAUSE_S = 0.25
_MOST_CUTS = 12
_PER_PAGE = 100
_LONGEST_PAUSE_S, _LONGEST_CROWD_S, _QUIET_CROWD_S = 30, 600, 3


class Client:
    """Calls to one server with one key. Every failure is a KnowlogError with a sentence for a person.

    A server that is away for a moment (it starts, or starts again) is waited for, up to `patience_s`: a call that
    did not reach it is repeated, and so is one that was cut off, if it may be repeated (`repeatable`). So is a server
    that takes no more just now (429), as long as it asks; what it says of that `crowded` is told once.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        timeout_s: float = 60,
        patience_s: float = 0,
        waiting: Callable[[str], None] = lambda url: None,
        crowded: Callable[[str], None] = lambda detail: None,
    ) -> None:
        self.url = url.rstrip("/")
        headers = {"User-Agent": f"knowlog/{__version__}"} | (
            {"Authorization": f"Bearer {key}"} if key else {}
        )
        self._patience_s = patience_s
        self._waiting = waiting
        self._crowded: Callable[[str], None] | None = crowded
        try:
            self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s, trust_env=False)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise _no_address(self.url) from error

    def get(self, path: str, **params: Any) -> Any:
        """GET; parameters that are None are left out."""
        return self.call("GET", path, params=params)

    def post(self, path: str, value: Any = None, **options: Any) -> Any:
        """POST a JSON value."""
        return self.call("POST", path, value=value, **options)

    def ask(self, path: str, value: Any) -> Any:
        """POST a question, which changes nothing, so that it may be repeated."""
        return self.call("POST", path, value=value, repeatable=True)

    def delete(self, path: str, **params: Any) -> Any:
        """DELETE."""
        return self.call("DELETE", path, params=params)

    def call(self, method: str, path: str, repeatable: bool | None = None, **options: Any) -> Any:
        """Make one call. Returns the JSON value, text, or None for an empty answer.

        `repeatable`: whether it may reach the server twice; None: what HTTP says of the method.
        """
        again = method in _REPEATABLE if repeatable is None else repeatable
        return _read(self._patiently(method, path, again, options))

    def clock(self) -> datetime | None:
        """What time the server has, in whole seconds; None where its answer does not tell."""
        told = self._patiently("GET", "/health/live", True, {}).headers.get("date", "")
        with suppress(ValueError):
            return parsedate_to_datetime(told)
        return None

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield the items of a paginated list, following its cursor to the end."""
        cursor = None
        while True:
            page = self.get(path, **params, limit=_PER_PAGE, cursor=cursor)
            yield from page["items"]
            cursor = page.get("next_cursor")
            if not cursor or not page["items"]:
                return

    def listed(self, path: str, most: int, **params: Any) -> dict[str, Any]:
        """The first items of a paginated list, at most `most`; `next_cursor` is null where these are all."""
        items: list[dict[str, Any]] = []
        cursor = None
        while len(items) < most:
            page = self.get(path, **params, limit=min(most - len(items), _PER_PAGE), cursor=cursor)
            items += page["items"][: most - len(items)]
            cursor = page.get("next_cursor")
            if not cursor or not page["items"]:
                break
        return {"items": items, "next_cursor": cursor}

    def stream(
        self, method: str, path: str, value: Any = None, within_s: float | None = None
    ) -> Generator[ServerEvent, None, None]:
        """Yield server-sent events until the server ends the stream, or for about so long."""
        headers = {"Accept": "text/event-stream"}
        body = {} if value is None else {"json": value}
        try:
            with self._http.stream(method, path, headers=headers, timeout=within_s, **body) as response:
                if response.is_error:
                    response.read()
                    _read(response)
                yield from _events(_within(response.iter_lines(), within_s))
        except httpx.ReadTimeout:
            return
        except httpx.TransportError as error:
            raise _unreachable(self.url, error) from error

    def download(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of a GET as they come. Raises as `call` does, also when they break off."""
        try:
            with self._http.stream("GET", path, timeout=None) as response:
                if response.is_error:
                    response.read()
                    _read(response)
                yield from response.iter_raw()
        except httpx.TransportError as error:
            raise _unreachable(self.url, error) from error

    def _patiently(self, method: str, path: str, again: bool, options: dict[str, Any]) -> httpx.Response:
        """Send, and send again while the server is away for a moment."""
        wait = _Wait(self._patience_s)
        while True:
            try:
                response = self._send_when_told(method, path, options)
                if not (again and response.status_code == 503 and wait.goes_on(cut_off=True)):
                    return response
            except (httpx.TransportError, httpx.InvalidURL, UnicodeError) as error:
                if not (_may_repeat(error, again) and wait.goes_on(not isinstance(error, _NOT_SENT))):
                    raise _unreachable(self.url, error) from error
            if wait.times == 1:
                self._waiting(self.url)
            time.sleep(_PAUSE_S)

    def _send_when_told(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        """Send, and send again when the server says that it takes no more just now: nothing was done then."""
        began = time.monotonic()
        while True:
            response = self._send(method, path, **options)
            pause_s = _pause_s(response)
            waits_s = time.monotonic() - began + (pause_s or 0)
            if pause_s is None or waits_s > _LONGEST_CROWD_S:
                return response
            if waits_s > _QUIET_CROWD_S:
                self._tell_crowd(response)
            time.sleep(pause_s)

    def _tell_crowd(self, response: httpx.Response) -> None:
        """Tell why it takes so long, once for all calls of this client."""
        tell, self._crowded = self._crowded, None
        if tell is not None:
            found = _json(response)
            tell(Refused(response.status_code, found if isinstance(found, dict) else {}).detail)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        if (value := options.pop("value", None)) is not None:
            options["content"] = orjson.dumps(value)
            options["headers"] = {"Content-Type": "application/json", **options.get("headers", {})}
        if params := options.pop("params", None):
            options["params"] = {name: each for name, each in params.items() if each is not None}
        return self._http.request(method, path, **options)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Wait:
    """How long a server that is away has been waited for, in one call."""

    def __init__(self, patience_s: float) -> None:
        self._until = time.monotonic() + patience_s
        self.times = 0
        self._cuts = 0

    def goes_on(self, cut_off: bool) -> bool:
        """Count another failure. A call that was cut off is not repeated as often: it may itself be the reason."""
        self.times += 1
        self._cuts += cut_off
        return time.monotonic() < self._until and self._cuts <= _MOST_CUTS


def _pause_s(response: httpx.Response) -> float | None:
    """How long a server that has too much in hand asks to wait; None if it does not, or asks for too long."""
    told = response.headers.get("retry-after", "")
    if response.status_code != 429 or not told.isdigit() or int(told) > _LONGEST_PAUSE_S:
        return None
    return float(told)


def _may_repeat(error: Exception, again: bool) -> bool:
    """Whether the call may be sent again: it never left, or it does no harm twice and was cut off."""
    return isinstance(error, _NOT_SENT) or (
        again and isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)
    )


def _read(response: httpx.Response) -> Any:
    kind = response.headers.get("content-type", "")
    value: Any = None
    if response.content:
        value = _json(response) if "json" in kind else response.text
    if response.is_error:
        raise Refused(response.status_code, value if isinstance(value, dict) else {})
    return value


def _json(response: httpx.Response) -> Any:
    try:
        return orjson.loads(response.content)
    except ValueError:
        return None


def _no_address(url: str) -> Misconfigured:
    return Misconfigured(f"{url} is no address of a server. Give one such as http://127.0.0.1:8484.")


def _unreachable(url: str, error: Exception) -> KnowlogError:
    if isinstance(error, httpx.LocalProtocolError):  # nothing is wrong with the server
        return Invalid(
            "This cannot be sent: the file changed while it was read, or the key holds odd characters."
        )
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | UnicodeError):
        return _no_address(url)
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, _NOT_SENT):
        return Unavailable(f"{url} did not answer in time. Try again; `knowlog doctor` shows what is slow.")
    if "CERTIFICATE" in str(error) or "SSL" in str(error):
        return Unavailable(f"{url} offers no trusted TLS: {error}. Check the address and its certificate.")
    if not isinstance(error, _NOT_SENT):
        return Unavailable(f"{url} broke the connection off. Try again; the server's log says why.")
    return Unavailable(
        f"No knowlog answers at {url}. Start one with `knowlog up`, or give its address with --url."
    )


def _within(lines: Iterator[str], within_s: float | None) -> Iterator[str]:
    """The lines that come in this time."""
    until = None if within_s is None else time.monotonic() + within_s
    for line in lines:
        if until is not None and time.monotonic() > until:
            return
        yield line


def _events(lines: Iterator[str]) -> Iterator[ServerEvent]:
    """Parse an event stream (HTML Living Standard, section 9.2.6): retry is of no use here."""
    event, place = "message", None
    data: list[str] = []
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data or place:
                yield ServerEvent(event, orjson.loads("\n".join(data)) if data else None, place)
            event, data, place = "message", [], None
        elif name == "id":
            place = value
        elif name == "event":
            event = value
        elif name == "data":
            data.append(value)
