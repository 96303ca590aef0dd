"""A running server is found from any folder, by its own user, while it runs."""

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from knowlog.cli.running import here, noted, running_data_dir
from knowlog.settings import data_dir, load_local


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data directory of a server that runs."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)  # where no .knowlog is, as there is after `make run`
    folder = tmp_path / "data"
    folder.mkdir()
    with (folder / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def test_a_server_is_found_while_it_runs(server: Path, tmp_path: Path) -> None:
    """Where neither the environment nor the current folder names one; `config` tells."""
    elsewhere = load_local({"XDG_DATA_HOME": str(tmp_path / "mine")})
    with noted(server):
        assert here(elsewhere).data_dir == server
        assert here(elsewhere).origins["data_dir"] == "running server"
        named = load_local({"KNOWLOG_DATA_DIR": str(tmp_path / "named")})
        assert here(named).data_dir == tmp_path / "named"
    assert running_data_dir() is None


def test_a_note_of_one_that_was_killed_is_not_believed(server: Path, tmp_path: Path) -> None:
    """Nothing holds its data directory."""
    (tmp_path / "gone").mkdir()
    with noted(tmp_path / "gone"):
        assert running_data_dir() is None


def test_a_note_that_others_may_write_is_not_believed(server: Path, tmp_path: Path) -> None:
    """It would name a server of theirs. Nor is a link."""
    with noted(server):
        note = tmp_path / "state" / "knowlog" / "running"
        note.chmod(0o666)
        assert running_data_dir() is None
        note.chmod(0o600)
        note.rename(tmp_path / "moved")
        note.symlink_to(tmp_path / "moved")
        assert running_data_dir() is None


def test_a_later_server_keeps_its_note(server: Path, tmp_path: Path) -> None:
    """The end of an earlier one does not remove it."""
    earlier = noted(tmp_path / "earlier")
    earlier.__enter__()
    with noted(server):
        earlier.__exit__(None, None, None)
        assert running_data_dir() == server


def test_an_earlier_server_is_found_again_when_the_later_one_ends(server: Path, tmp_path: Path) -> None:
    """Both run; then the first alone."""
    later = tmp_path / "later"
    later.mkdir()
    with noted(server):
        with (later / "up.lock").open("w") as lock, noted(later):
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert running_data_dir() == later
        assert running_data_dir() == server


def test_a_folder_here_is_trusted_where_it_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's .knowlog could hand us their address and key."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".knowlog").mkdir()
    assert data_dir({}) == (tmp_path / ".knowlog", ".knowlog here")
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    assert data_dir({})[1] == "default"
