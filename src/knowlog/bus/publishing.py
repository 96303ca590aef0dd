"""The published form of the catalogue: a file for each schema, never changed so that a reader breaks.

`python -m knowlog.bus` (`make schemas`) writes what was added; it refuses what is incompatible.
"""

import re
import sys
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from knowlog.bus.catalogue import CATALOGUE, INCOMING, EventType
from knowlog.bus.compatibility import incompatibilities
from knowlog.kernel.errors import NotFound

_CONTRACTS = (*CATALOGUE.values(), *INCOMING.values())
_FILE = re.compile(r"(?P<name>[a-z_.]+)\.v(?P<version>\d+)\.json")
_TO_DO = "Raise the type's version and keep this file, or take the change back."
Published = Mapping[tuple[str, int], dict[str, Any]]
"""Schemas by type and version."""


def published_schemas() -> Published:
    """Read every published schema, of all versions."""
    found = {}
    for each in files("knowlog.bus").joinpath("schemas").iterdir():
        if match := _FILE.fullmatch(each.name):
            found[match["name"], int(match["version"])] = orjson.loads(each.read_bytes())
    return found


def published_schema(name: str, version: int) -> dict[str, Any]:
    """Return one published schema. Raises NotFound."""
    schema = published_schemas().get((name, version))
    if schema is None:
        raise NotFound(
            "There is no such event schema. GET /v1/events/asyncapi.json names those that there are."
        )
    return schema


def breaches(published: Published, catalogue: Iterable[EventType] = _CONTRACTS) -> list[str]:
    """Say where the catalogue breaks a published contract; empty when it keeps them all."""
    types = {each.name: each for each in catalogue}
    found = []
    for (name, version), schema in sorted(published.items()):
        now = types.get(name)
        if now is None or now.version < version:
            found.append(f"{name} version {version} is published and is no longer in the catalogue. {_TO_DO}")
        elif now.version == version:
            wrong = incompatibilities(schema, now.schema())
            found += [f"{name} version {version}: {each}. {_TO_DO}" for each in wrong]
    return found


def unpublished(published: Published, catalogue: Iterable[EventType] = _CONTRACTS) -> list[EventType]:
    """The types whose file is missing or not current."""
    return [each for each in catalogue if published.get((each.name, each.version)) != each.schema()]


def publish(folder: Path) -> list[str]:
    """Write the files that are missing or not current; returns their names."""
    written = []
    for each in unpublished(published_schemas()):
        name = f"{each.name}.v{each.version}.json"
        (folder / name).write_bytes(orjson.dumps(each.schema(), option=orjson.OPT_INDENT_2) + b"\n")
        written.append(name)
    return written


def main() -> int:
    """Publish the schemas of the catalogue. Returns 1 when it would break a contract."""
    if wrong := breaches(published_schemas()):
        sys.stderr.write("\n".join(wrong) + "\n")
        return 1
    for name in publish(Path(__file__).parent / "schemas"):
        sys.stdout.write(f"{name} written\n")
    return 0
