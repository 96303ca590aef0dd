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
        assert {each.path: each.reason for each in found.skipped} == {
            str(tmp_path / begin / "way"): "a link to a folder",
            str(tmp_path / begin / "outside.txt"): "a link that leads out of the folder",
        }
        with pytest.raises(BadParameter, match=r"way/secret\.txt \(a link that leads out of the folder\)"):
            find_files([str(tmp_path / begin / "*" / "*.txt")])


def test_a_pattern_over_links_in_a_circle_ends(tmp_path: Path) -> None:
    """With three of them there are more paths than one can count; the file is taken once."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    for name in ("x", "y", "z"):
        (folder / name).symlink_to(folder)
    found = find_files([str(folder / "**" / "*.txt")])
    assert [each.path for each in found.files] == [folder / "a.txt"]
    assert [Path(each.path).name for each in found.skipped] == ["x", "y", "z"]


@pytest.mark.parametrize(("pattern", "names"), [
    ("**/*.txt", ["a.txt", "sub/b.txt"]), ("**", ["a.txt", "sub/b.txt"]), ("**/**/b*", ["sub/b.txt"]),
    ("*", ["a.txt"]), ("sub/**", ["sub/b.txt"]), ("link/*", ["sub/b.txt"]), ("**/link/*", ["sub/b.txt"]),
    ("s?b/[!a]*", ["sub/b.txt"]), (".*", [".c.txt"]), (".hidden/*", [".hidden/d.txt"]), ("sub/../*.txt", ["a.txt"]),
    ("*/*", ["sub/b.txt"]), ("a.txt/*", []), ("**/none", []), ("none/**/*", []), ("a.txt/**", []), ("**.txt", ["a.txt"]),
])  # fmt: skip
def test_what_a_pattern_means(tmp_path: Path, pattern: str, names: list[str]) -> None:
    """What is hidden is taken where the pattern says so; a link to a folder, where it is not `**` that meets it."""
    for name in ("a.txt", "sub/b.txt", ".c.txt", ".hidden/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to(tmp_path / "sub")
    if names:
        assert [each.external_id for each in find_files([str(tmp_path / pattern)], tmp_path).files] == names
    else:
        with pytest.raises(BadParameter, match=r"is not there|skipped is .*link \(a link to a folder\)"):
            find_files([str(tmp_path / pattern)])


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
