"""Commands wait for a server that has just begun, and say so."""

from pathlib import Path

import pytest

from knowlog.cli import connection
from knowlog.cli.connection import await_start
from knowlog.settings import load_local


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a person who looks on was told."""
    found: list[str] = []
    monkeypatch.setattr(connection, "tell", found.append)
    monkeypatch.setattr(connection, "_NOT_SEEN_S", 0.1)
    monkeypatch.setattr(connection, "_NOTICED_S", 0.5)
    monkeypatch.delenv("KNOWLOG_URL", raising=False)
    return found


def test_where_nothing_runs_the_wait_is_told_once(tmp_path: Path, told: list[str]) -> None:
    """It looked as if the command hung."""
    settings = load_local({"KNOWLOG_DATA_DIR": str(tmp_path), "KNOWLOG_API_PORT": "1"})
    await_start(settings, None, lambda: False)
    assert told == [
        f"Nothing runs in {tmp_path}. Waiting a moment for a `knowlog up` that has just begun ..."
    ]


def test_one_that_is_seen_to_start_is_told_as_that(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after nothing was seen of it."""
    monkeypatch.setattr(connection, "_STARTING_S", 0.5)
    monkeypatch.setattr(connection, "is_up", lambda data_dir: bool(told))
    settings = load_local({"KNOWLOG_DATA_DIR": str(tmp_path), "KNOWLOG_API_PORT": "1"})
    await_start(settings, None, lambda: False)
    assert [each.split()[0] for each in told] == ["Nothing", "Waiting"]


def test_an_address_that_is_given_is_not_waited_for(tmp_path: Path, told: list[str]) -> None:
    """Whoever names a server knows where it is."""
    settings = load_local({"KNOWLOG_DATA_DIR": str(tmp_path), "KNOWLOG_API_PORT": "1"})
    await_start(settings, "http://127.0.0.1:1", lambda: False)
    assert told == []
