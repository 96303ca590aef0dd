"""SQL by name: each room keeps its statements in files, where a person can read and run them."""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load_queries(package: str, file: str = "queries.sql") -> dict[str, str]:
    """Read a file of a package: name -> statement. A statement begins with the line `-- name: its_name`."""
    parts = _NAME.split(files(package).joinpath(file).read_text("utf-8"))
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}
