"""SQL by name: each room keeps its statements in files, where a person can read and run them."""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load_queries(package: str, file: str = "queries.sql") -> dict[str, str]:
    """Read a file of a package: name -> statement. A statement begins with the line `-- name: its_name`.

    Raises ValueError when two have the same name: one would take the other's place unseen.
    """
    parts = _NAME.split(files(package).joinpath(file).read_text("utf-8"))
    names = parts[1::2]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{file} of {package} names two statements alike: {', '.join(sorted(twice))}.")
    return {name: body.strip() for name, body in zip(names, parts[2::2], strict=True)}
