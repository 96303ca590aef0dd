"""In an overload, most of what is refused is refused here: a whole question that has come, before it becomes a request.

Such a refusal costs a few hundredths of what an answer does: no task, no handler, no statement, and no log line of its
own. What does not come in one piece, or asks for anything unusual, goes the long way and is refused there.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus

from knowlog.edge.crowd import TOO_MANY, Crowd, credential
from knowlog.edge.headers import DEFAULTS
from knowlog.edge.metrics import Metrics
from knowlog.edge.problem import response
from knowlog.edge.visit import choose_request_id

Headers = Sequence[tuple[bytes, bytes]]

_access = logging.getLogger("knowlog.access")
_ID = "-" * 32
_TELL_S = 1.0
_UNUSUAL = frozenset({b"expect", b"upgrade", b"transfer-encoding"})


class Early:
    """`asks` says of method and path whether such a request is a question."""

    def __init__(self, crowd: Crowd, asks: Callable[[str, str], bool], metrics: Metrics) -> None:
        self._crowd = crowd
        self._asks = asks
        self._metrics = metrics
        self._untold = 0
        self._head, self._middle, self._end = _refusal()

    def may_refuse(self, method: bytes, url: bytes, headers: Headers) -> bool:
        """Whether this is a plain question of somebody who has too many under way."""
        return (
            self._crowd.pressed
            and self._asks(method.decode("latin-1"), url.partition(b"?")[0].decode("latin-1"))
            and self._crowd.is_too_much(credential(first := dict(reversed(headers))))
            and not _UNUSUAL & first.keys()
        )

    def refuse(self, headers: Headers, defaults: Headers) -> bytes:
        """Count a refusal and return the whole of it; `defaults` are headers that every answer of the server has."""
        self._crowd.refused()
        self._metrics.request_done("POST", "unmatched", TOO_MANY.status, 0.0)
        self._tell_later()
        offered = next((value for name, value in headers if name == b"x-request-id"), b"")
        request_id = choose_request_id(offered.decode("latin-1")).encode()
        given = b"".join(b"%b: %b\r\n" % each for each in defaults)
        length = len(self._middle) + len(request_id) + len(self._end)
        return b"%b%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n%b%b%b" % (
            self._head, given, request_id, length, self._middle, request_id, self._end,
        )  # fmt: skip

    def _tell_later(self) -> None:
        """A line for each would be a flood of its own: there is one for those of a second."""
        self._untold += 1
        if self._untold == 1:
            asyncio.get_running_loop().call_later(_TELL_S, self._tell)

    def _tell(self) -> None:
        if self._untold:
            fields = {"method": "POST", "status": TOO_MANY.status, "refused": self._untold}
            _access.info("questions refused in an overload", extra={"fields": fields})
        self._untold = 0


def _refusal() -> tuple[bytes, bytes, bytes]:
    """Status and headers, and the body before and behind the request's id, as the long way would have them."""
    made = response(TOO_MANY, _ID)
    phrase = HTTPStatus(TOO_MANY.status).phrase
    headers = [
        *((name, value) for name, value in made.raw_headers if name != b"content-length"),
        *DEFAULTS.items(),
    ]
    lines = b"".join(b"%b: %b\r\n" % each for each in headers)
    before, _, behind = bytes(made.body).partition(_ID.encode())
    return f"HTTP/1.1 {TOO_MANY.status} {phrase}\r\n".encode() + lines, before, behind
