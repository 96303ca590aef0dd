"""Metadata that contain others, as an index can find them."""

import json
from collections.abc import Iterator
from typing import Any


def contained_path(wanted: dict[str, Any] | None) -> str | None:
    """Return a SQL/JSON path predicate that holds wherever metadata contain `wanted` (`@>`), and sometimes elsewhere.

    None where there is nothing to look for: every document may contain that.
    """
    return " && ".join(_equalities("$", wanted)) or None


def _equalities(path: str, wanted: Any) -> Iterator[str]:
    """What must be equal somewhere below `path`. Of arrays, no more than that some member is."""
    if isinstance(wanted, dict):
        for name, value in wanted.items():
            yield from _equalities(f"{path}.{json.dumps(name)}", value)
    elif isinstance(wanted, list):
        for value in wanted:
            yield from _equalities(f"{path}[*]", value)
    elif wanted is not None:
        yield f"({path} == {json.dumps(wanted)})"
