"""SQL by name."""

import sys

import pytest

from knowlog.database import load_queries


@pytest.fixture
def room(tmp_path, monkeypatch):
    """Return a file of statements in a package of its own."""
    (tmp_path / "room_with_sql").mkdir()
    (tmp_path / "room_with_sql" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "room_with_sql", raising=False)
    return tmp_path / "room_with_sql" / "queries.sql"


def test_statements_by_name(room) -> None:
    """Each is there as it was written."""
    room.write_text("-- name: one\n-- The first.\nselect 1\n\n-- name: two\nselect 2\n")
    assert load_queries("room_with_sql") == {"one": "-- The first.\nselect 1", "two": "select 2"}


def test_two_statements_of_one_name(room) -> None:
    """The second does not take the place of the first unseen."""
    room.write_text("-- name: one\nselect 1\n\n-- name: two\nselect 2\n\n-- name: one\nselect 3\n")
    with pytest.raises(ValueError, match=r"two statements alike: one\.$"):
        load_queries("room_with_sql")
