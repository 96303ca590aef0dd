"""A folder is what lies in it."""

from pathlib import Path

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
