"""What a server answers with, besides a plain value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from knowlog.kernel.errors import KnowlogError


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
    """One server-sent event: its type and its value, None where the server only tells where the stream is (`id`)."""

    event: str
    data: Any
    id: str | None = None
