"""Following events goes on where it was, whatever breaks in between."""

from collections.abc import Iterator
from typing import Any

import pytest

from knowlog.cli import events
from knowlog.cli.client import Refused, ServerEvent
from knowlog.kernel.errors import Unavailable


class Script:
    """Plays the server: each stream yields what is written, and ends or breaks off."""

    def __init__(self, *streams: list[Any]) -> None:
        self.streams = list(streams)
        self.asked: list[str] = []

    def stream(self, _method: str, path: str) -> Iterator[ServerEvent]:
        """Play the next stream."""
        self.asked.append(path)
        for each in self.streams.pop(0):
            if isinstance(each, Exception):
                raise each
            yield each


def happened(number: int) -> ServerEvent:
    return ServerEvent("document.indexed", {"number": number}, f"s{number}")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_PAUSE_S", 0)


def test_it_goes_on_behind_the_last_event() -> None:
    """Also when the stream broke off before the first: its beginning was told."""
    script = Script(
        [ServerEvent("message", None, "begin"), Unavailable("away")],
        [happened(1)],
        [Refused(503, {"detail": "starting"})],
        [happened(2)],
    )
    following = events._follow(script, {"type": ["a", "b"]})  # type: ignore[arg-type]
    assert [next(following)["number"], next(following)["number"]] == [1, 2]
    assert script.asked == [
        "/v1/events/stream?type=a&type=b",
        "/v1/events/stream?type=a&type=b&since=begin",
        "/v1/events/stream?type=a&type=b&since=s1",
        "/v1/events/stream?type=a&type=b&since=s1",
    ]


def test_a_revoked_key_ends_it() -> None:
    """What will not pass is not waited for."""
    gone = ServerEvent("error", {"status": 401, "detail": "The key is not valid."})
    with pytest.raises(Refused, match="not valid"):
        next(events._follow(Script([gone]), {}))  # type: ignore[arg-type]


def test_a_server_that_never_answered_is_not_waited_for() -> None:
    """The first failure is told at once."""
    with pytest.raises(Unavailable):
        next(events._follow(Script([Unavailable("nobody there")]), {}))  # type: ignore[arg-type]
