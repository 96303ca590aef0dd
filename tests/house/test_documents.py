"""Docs cannot rot: links lead somewhere, decisions are numbered, settings are current."""

import re
from pathlib import Path

import pytest

from knowlog.settings import Settings, describe, load_settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there."""
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_decisions_are_numbered_without_gaps() -> None:
    """Decision n is the n-th file."""
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs/decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_decision_names_its_check() -> None:
    """A decision that nothing enforces is an opinion."""
    for path in (ROOT / "docs/decisions").glob("*.md"):
        assert re.search(r"[Ee]nforced by", path.read_text()), path.name


def settings_page(settings: Settings) -> str:
    """docs/settings.md as it should be."""
    rows = [f"| `{row.name}` | {row.value or '(unset)'} | {row.meaning} |" for row in describe(settings)[1:]]
    head = [
        "# Settings", "",
        "Environment variables, read once at start. Unknown `KNOWLOG_` names are errors. `NAME_FILE` names a file that",
        "holds the value, for secrets. `knowlog config` prints the values in force and where each comes from.", "",
        "| name | default | meaning |", "|---|---|---|",
        "| `KNOWLOG_DATA_DIR` | ~/.local/share/knowlog | Folder of everything that knowlog keeps on this machine. |",
    ]  # fmt: skip
    return "\n".join([*head, *rows]) + "\n"


def test_settings_page_is_current() -> None:
    """docs/settings.md lists every setting with its default and meaning."""
    page = ROOT / "docs" / "settings.md"
    wanted = settings_page(load_settings({}))
    if page.exists() and page.read_text() == wanted:
        return
    page.write_text(wanted)
    pytest.fail("docs/settings.md was out of date and has been written anew. Look at it and commit it.")


def test_nothing_names_the_machine_it_was_made_on() -> None:
    """No tracked text holds a path of a developer's machine."""
    home = re.compile(r"/(?:work|root|home/\w+)/")
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]:
        assert not home.search(path.read_text()), path


def test_no_two_modules_of_tests_share_a_name() -> None:
    """They are imported by their names alone: the second would be the first."""
    names = [path.name for path in Path("tests").rglob("*.py") if path.name != "conftest.py"]
    assert [name for name in set(names) if names.count(name) > 1] == []
