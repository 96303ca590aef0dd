"""A command that needs a collection makes it, unless it is there."""

from typing import Any

import pytest

from knowlog.cli.answered import Refused
from knowlog.cli.local_tenant import ensure_collection


class Server:
    """Answers in the place of a client: what others do between two calls, and what this key sees."""

    def __init__(self, made_meanwhile: bool, seen: bool = True) -> None:
        self._there = False
        self._made_meanwhile = made_meanwhile
        self._seen = seen

    def get(self, path: str) -> dict[str, Any]:
        """Read a collection."""
        if not (self._there and self._seen):
            raise Refused(404, {"detail": "There is no collection."})
        return {}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make a collection."""
        taken, self._there = self._made_meanwhile, True
        if taken:
            raise Refused(409, {"detail": "There is a collection already."})
        return {}


def test_one_that_is_not_there_is_made_once() -> None:
    """The second time it is there."""
    server = Server(made_meanwhile=False)
    assert [ensure_collection(server, "notes") for _ in range(2)] == [True, False]  # type: ignore[arg-type]


def test_one_that_another_command_makes_at_the_same_moment_is_used() -> None:
    """Two that ingest into a new collection at once both do."""
    assert ensure_collection(Server(made_meanwhile=True), "notes") is False  # type: ignore[arg-type]


def test_one_that_is_there_and_not_for_this_key_is_refused() -> None:
    """In the server's words."""
    with pytest.raises(Refused, match="already"):
        ensure_collection(Server(made_meanwhile=True, seen=False), "notes")  # type: ignore[arg-type]
