"""Laws of the command line: programs and people can read every command; its reference is current."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from knowlog.cli.app import app
from knowlog.cli.reference import reference

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "cli.md"
NAMED = re.compile(r"`knowlog ([a-z]+(?:-[a-z]+)*(?: [a-z]+(?:-[a-z]+)*)*)")


def commands(command: Any, path: str = "knowlog") -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, with its full name."""
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    for name in command.list_commands(None):
        yield from commands(command.get_command(None, name), f"{path} {name}")


KNOWLOG = typer.main.get_command(app)
ALL = dict(commands(KNOWLOG))


@pytest.mark.parametrize("name", ALL)
def test_every_command_speaks_json(name: str) -> None:
    """What a person can do, a program can read."""
    assert any("--json" in each.opts for each in ALL[name].params)


@pytest.mark.parametrize("name", ALL)
def test_every_command_and_option_says_what_it_is_for(name: str) -> None:
    """Help is never empty."""
    assert ALL[name].help
    assert [each.name for each in ALL[name].params if not each.help] == []


def test_the_reference_is_current() -> None:
    """docs/cli.md is what `python -m knowlog.cli.reference` prints."""
    assert DOCS.read_text() == reference()


def missing(words: list[str]) -> bool:
    """Whether words behind `knowlog` lead to no command."""
    command: Any = KNOWLOG
    for word in words:
        if not hasattr(command, "list_commands"):
            return False
        command = command.get_command(None, word)
        if command is None:
            return True
    return False


def test_sentences_name_commands_that_there_are() -> None:
    """In messages, mails, the page and the docs: who follows one gets somewhere."""
    texts = [
        path
        for folder, kind in (("src", "*.py"), ("web/src", "*.svelte"), ("web/src", "*.ts"), ("docs", "*.md"))
        for path in (ROOT / folder).rglob(kind)
    ]
    found = [
        (path, each) for path in (*texts, ROOT / "README.md") for each in NAMED.findall(path.read_text())
    ]
    assert len(found) > 300
    wrong = {each for each in {each for _, each in found} if missing(each.split())}
    assert [f"{path.name}: knowlog {each}" for path, each in found if each in wrong] == []
