"""The HTTP API, as a terminal calls it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
import orjson

from knowlog.kernel.errors import KnowlogError, Unavailable


class Refused(KnowlogError):
    """The server answered with a problem document; `problem` is all of it."""

    code = "refused"

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(
            str(problem.get("detail") or problem.get("title") or f"The server answered {status}.")
        )
        self.http_status = status
        self.problem = dict(problem)


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event: its type and its value."""

    event: str
    data: Any


class Client:
    """Calls to one server with one key. Every failure is a KnowlogError with a sentence for a person."""

    def __init__(self, url: str, key: str | None, timeout_s: float = 60) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s, trust_env=False)

    def get(self, path: str, **params: Any) -> Any:
        """GET; parameters that are None are left out."""
        return self.call("GET", path, params=params)

    def post(self, path: str, value: Any = None, **options: Any) -> Any:
        """POST a JSON value."""
        return self.call("POST", path, value=value, **options)

    def delete(self, path: str, **params: Any) -> Any:
        """DELETE."""
        return self.call("DELETE", path, params=params)

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Make one call. Returns the JSON value, text, or None for an empty answer."""
        return _read(self._send(method, path, **options))

    def pages(self, path: str, most: int | None = None, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield the items of a paginated list, at most `most`, following its cursor."""
        left = most if most is not None else 1_000_000_000
        while left > 0:
            page = self.get(path, **params, limit=min(left, 100))
            yield from page["items"][:left]
            left -= len(page["items"])
            params["cursor"] = page.get("next_cursor")
            if not params["cursor"] or not page["items"]:
                return

    def stream(self, method: str, path: str, value: Any = None) -> Iterator[ServerEvent]:
        """Yield server-sent events until the server ends the stream."""
        headers = {"Accept": "text/event-stream"}
        body = {} if value is None else {"json": value}
        try:
            with self._http.stream(method, path, headers=headers, timeout=None, **body) as response:
                if response.is_error:
                    response.read()
                    _read(response)
                yield from _events(response.iter_lines())
        except httpx.TransportError as error:
            raise _unreachable(self.url, error) from error

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        if (value := options.pop("value", None)) is not None:
            options["content"] = orjson.dumps(value)
            options["headers"] = {"Content-Type": "application/json", **options.get("headers", {})}
        if params := options.pop("params", None):
            options["params"] = {name: each for name, each in params.items() if each is not None}
        try:
            return self._http.request(method, path, **options)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise _unreachable(self.url, error) from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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


def _unreachable(url: str, error: Exception) -> Unavailable:
    if isinstance(error, httpx.ReadTimeout):
        return Unavailable(f"{url} did not answer in time. Try again; `knowlog doctor` shows what is slow.")
    return Unavailable(
        f"No knowlog answers at {url}. Start one with `knowlog up`, or give its address with --url."
    )


def _events(lines: Iterator[str]) -> Iterator[ServerEvent]:
    """Parse an event stream (HTML Living Standard, section 9.2.6): id and retry are of no use here."""
    event = "message"
    data: list[str] = []
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield ServerEvent(event, orjson.loads("\n".join(data)))
            event, data = "message", []
        elif name == "event":
            event = value
        elif name == "data":
            data.append(value)
