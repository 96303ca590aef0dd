"""A folder is what lies in it."""

from pathlib import Path

import pytest
from typer import BadParameter

from knowlog.cli.files import find_files


def test_a_link_that_leads_out_of_the_folder_is_left_out(tmp_path: Path) -> None:
    """A link inside to another file inside is that file, once."""
    (tmp_path / "secret.txt").write_text("not yours")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    (folder / "inside.txt").symlink_to(folder / "a.txt")
    (folder / "outside.txt").symlink_to(tmp_path / "secret.txt")
    assert [each.external_id for each in find_files([str(folder)], folder).files] == ["a.txt"]


def test_a_pattern_takes_no_more_than_its_folder_has(tmp_path: Path) -> None:
    """A link out of it is named, be it a file's or that of a folder on the way; the folder itself may be a link."""
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "secret.txt").write_text("not yours")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    (folder / "inside.txt").symlink_to(folder / "a.txt")
    (folder / "outside.txt").symlink_to(tmp_path / "others" / "secret.txt")
    (folder / "way").symlink_to(tmp_path / "others")
    (tmp_path / "mine").symlink_to(folder)
    for begin in ("folder", "mine"):
        found = find_files([str(tmp_path / begin / "**" / "*.txt")], folder)
        assert [each.external_id for each in found.files] == ["a.txt"]
        skipped = [str(tmp_path / begin / each) for each in ("outside.txt", "way/secret.txt")]
        assert [each.path for each in found.skipped] == skipped
        assert {each.reason for each in found.skipped} == {"a link that leads out of the folder"}


def test_of_a_pattern_that_finds_links_alone_they_are_told(tmp_path: Path) -> None:
    """Named by its own path, such a file is taken."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("mine, after all")
    link = folder / "link.txt"
    link.symlink_to(tmp_path / "secret.txt")
    with pytest.raises(BadParameter, match="a link that leads out of the folder"):
        find_files([str(folder / "*.txt")])
    assert [each.path for each in find_files([str(link)]).files] == [tmp_path / "secret.txt"]
