"""Which files a person means."""

import os
from pathlib import Path

import pytest
import typer

from knowlog.cli.files import find_files, open_regular


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write two visible files and two hidden ones."""
    for name in ("b.txt", "a/c.pdf", ".hidden/d.txt", ".e"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_a_folder_is_all_that_is_below_it(folder: Path) -> None:
    """Hidden files and folders are left out."""
    assert [each.path.name for each in find_files([str(folder)]).files] == ["c.pdf", "b.txt"]


def test_a_pattern_is_expanded(folder: Path) -> None:
    """Also where the shell has not done it."""
    assert [each.path.name for each in find_files([f"{folder}/**/*.pdf"]).files] == ["c.pdf"]


def test_a_file_named_twice_comes_once(folder: Path) -> None:
    """The same file under two names is one file."""
    assert len(find_files([str(folder / "b.txt"), f"{folder}/a/../b.txt"]).files) == 1


def test_the_identity_of_a_file_is_its_absolute_path(folder: Path) -> None:
    """So that it is the same from every working directory."""
    assert find_files([str(folder / "b.txt")]).files[0].external_id == (folder / "b.txt").as_posix()


def test_a_base_makes_identities_portable(folder: Path) -> None:
    """The same documents on another machine are the same documents."""
    assert [each.external_id for each in find_files([str(folder)], folder).files] == ["a/c.pdf", "b.txt"]


def test_what_is_skipped_is_named_with_its_reason(folder: Path) -> None:
    """Hidden things, links that leave, lead nowhere or to a folder, and what is no regular file."""
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("not looked into")
    (folder / "away").symlink_to("/etc/hostname")
    (folder / "lost").symlink_to(folder / "nothing")
    (folder / "linked").symlink_to(folder / "a")
    os.mkfifo(folder / "pipe")
    told = {Path(each.path).name: each.reason for each in find_files([str(folder)]).skipped}
    assert {name: told[name] for name in (".git", "away", "lost", "linked", "pipe")} == {
        ".git": "hidden", "away": "a link that leads out of the folder", "lost": "a link that leads nowhere",
        "linked": "a link to a folder", "pipe": "no regular file",
    }  # fmt: skip
    assert "config" not in told


def test_a_name_that_is_not_utf8_is_readable_and_stable(folder: Path) -> None:
    """Odd bytes as %FF; another file whose name reads the same is told, not taken for it."""
    Path(os.fsdecode(os.fsencode(folder) + b"/bad\xffname.txt")).write_text("x")
    found = find_files([str(folder)], folder)
    assert "bad%FFname.txt" in [each.external_id for each in found.files]
    (folder / "bad%FFname.txt").write_text("y")
    assert [each.path for each in find_files([str(folder)], folder).failed] == ["bad%FFname.txt"]


def test_what_cannot_be_a_file_is_told(folder: Path) -> None:
    """A pipe, and a name longer than any."""
    os.mkfifo(folder / "pipe")
    with pytest.raises(typer.BadParameter, match="no regular file"):
        find_files([str(folder / "pipe")])
    with pytest.raises(typer.BadParameter, match="is not there"):
        find_files([str(folder / ("x" * 5000))])
    with pytest.raises(OSError, match="no regular file"):
        open_regular(folder / "pipe")


def test_what_is_not_there_is_named(folder: Path) -> None:
    """A misspelt path is not an empty success."""
    (folder / "empty").mkdir()
    for wrong, said in (("nothing", "not there"), ("*.docx", "not there"), ("empty", "no file")):
        with pytest.raises(typer.BadParameter, match=said):
            find_files([str(folder / wrong)])
    with pytest.raises(typer.BadParameter, match="empty"):
        find_files([""])
    with pytest.raises(typer.BadParameter, match="not below"):
        find_files([str(folder / "b.txt")], folder / "a")
