"""Laws of the command line: programs and people can read every command; its reference is current."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from knowlog.cli.app import app
from knowlog.cli.reference import reference

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


def commands(command: Any, path: str = "knowlog") -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, with its full name."""
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    for name in command.list_commands(None):
        yield from commands(command.get_command(None, name), f"{path} {name}")


ALL = dict(commands(typer.main.get_command(app)))


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
