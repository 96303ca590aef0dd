"""Reading what people type."""

import sys
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import orjson
import typer

from knowlog.kernel.errors import Invalid


def typed_secret(example: str) -> str:
    """A secret from standard input: typed unseen, or piped as `example` does. Raises Invalid where there is none."""
    value = typer.prompt("Secret", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.read()
    if not value.strip():
        raise Invalid(f"Standard input holds no secret. Pipe one: {example}")
    return str(value).strip()


def typed_password(called: str, setting: str, twice: bool = False) -> str:
    """A password: asked for unseen, beside what the command prints, or the next line of what is piped.

    `twice`: a terminal asks again, to be sure. Raises Invalid where there is none; `setting` may hold it instead.
    """
    if sys.stdin.isatty():
        return str(typer.prompt(called, hide_input=True, err=True, confirmation_prompt=twice))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise Invalid(f"{called}: standard input holds none. Pipe it, or set {setting}.")
    return line


def is_id(text: str) -> bool:
    """Whether this reads as an id."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def an_id(text: str, noun: str, listing: str) -> str:
    """Read an id, for an address. Raises BadParameter, naming the command that lists the ids."""
    if not is_id(text):
        raise typer.BadParameter(f"{text} is not the id of {noun}. `{listing}` shows the ids.")
    return str(UUID(text))


def json_object(text: str, option: str) -> dict[str, Any]:
    """Read a JSON object. Raises BadParameter, naming the option."""
    try:
        value = orjson.loads(text)
    except ValueError as error:
        raise typer.BadParameter(
            f'{option} must be a JSON object such as {{"year": 2025}}: {error}.'
        ) from error
    if not isinstance(value, dict):
        raise typer.BadParameter(f'{option} must be a JSON object such as {{"year": 2025}}.')
    return value


_ONE_OF = {
    "summaries": "a summary",
    "summaries/batches": "a batch of summaries",
    "feedback": "what was said of an answer",
}
"""What is not named as its address less an s."""


def address(noun: str, given: str, listing: str | None = None) -> str:
    """The address of the one of "documents", "jobs" ... that an id names. Raises BadParameter for what is no id, naming
    the command that lists them.
    """
    one = _ONE_OF.get(noun) or f"a {noun.removesuffix('s')}"
    return f"/v1/{noun}/{an_id(given, one, listing or f'knowlog {noun} list')}"


def pairs(given: Iterable[str]) -> dict[str, Any]:
    """Read `name=value` pairs; a value that is JSON (a number, true, a list) is that, any other is text."""
    found: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{each} must have the form name=value.")
        try:
            found[name] = orjson.loads(value)
        except ValueError:
            found[name] = value
    return found


def named(listed: str) -> list[str]:
    """The names in a list with commas, as they are written in settings: "parent-child" is parent_child."""
    return [each.strip().replace("-", "_") for each in listed.split(",") if each.strip()]
