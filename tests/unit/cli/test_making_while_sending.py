"""Files make the collection that they go into: once, by the first that is taken, and never against a refusal."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from knowlog.cli.answered import Refused
from knowlog.cli.files import SourceFile
from knowlog.cli.uploading import Outcome, upload_files


class Server:
    """Answers in the place of a client. `goes_after`: somebody deletes the collection after so many files."""

    def __init__(self, *, there: bool, goes_after: int | None = None) -> None:
        self.there = there
        self.made = 0
        self._taken = 0
        self._goes_after = goes_after

    def make(self) -> None:
        """Make the collection."""
        self.there = True
        self.made += 1

    def call(self, method: str, path: str, **given: Any) -> dict[str, Any]:
        """Take a file."""
        if self._goes_after is not None and self._taken >= self._goes_after:
            self.there = False
        if not self.there:
            raise Refused(404, {"detail": "There is no collection."})
        self._taken += 1
        item = {"document_id": f"{self._taken}", "outcome": "created", "state": "received"}
        return {"items": [item]}


@pytest.fixture
def files(tmp_path: Path) -> list[SourceFile]:
    """More than are sent at once."""
    paths = [tmp_path / f"{number}.txt" for number in range(20)]
    for path in paths:
        path.write_text("The gate is blue.")
    return [SourceFile(path, path.name) for path in paths]


def sent(server: Server, files: list[SourceFile], make: Callable[[], object]) -> list[Outcome]:
    return upload_files(server, "notes", files, {}, lambda count: None, make)  # type: ignore[arg-type]


def test_several_that_come_first_make_it_once(files: list[SourceFile]) -> None:
    """Four are sent at a time."""
    server = Server(there=False)
    assert [each.change for each in sent(server, files, server.make)] == ["created"] * 20
    assert server.made == 1


def test_one_that_is_deleted_meanwhile_is_not_made_anew(files: list[SourceFile]) -> None:
    """It had a profile, and a list of those who may see it: what comes into a new one of this name, all see."""
    server = Server(there=True, goes_after=6)
    with pytest.raises(Refused, match="no collection"):
        sent(server, files, server.make)
    assert server.made == 0


def test_one_that_cannot_be_made_is_no_fault_of_each_file(files: list[SourceFile]) -> None:
    """A name that no collection can have is told once."""

    def refuse() -> None:
        raise Refused(422, {"detail": "A collection's name stands in addresses."})

    server = Server(there=False)
    with pytest.raises(Refused, match="stands in addresses"):
        sent(server, files, refuse)
