"""Checks that what the page ships comes under permissive licences: `make scan`. Offline, from the lock file and, where
the application is built, from the list that the build makes of what is in its files. Standard library alone.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

WEB = Path(__file__).resolve().parent
SHIPPED = WEB.parent / "src" / "knowlog" / "web" / "assets" / "licenses.md"
PERMISSIVE = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BlueOak-1.0.0",
        "CC0-1.0",
        "ISC",
        "MIT",
        "Unlicense",
    }
)
BUILDS_ALONE = {
    "lightningcss": "MPL-2.0: makes style sheets smaller while building; nothing of it is in a file"
}
"""Packages of which nothing is shipped, and why another licence will do. Their builds for machines go with them."""
_OURS = ("node_modules/@napi-rs/canvas", "absent")
_HEADING = re.compile(r"^## (\S+) - \S+ \((.*)\)$", re.MULTILINE)


def wrong_in_lock(lock: dict[str, dict[str, dict[str, str]]]) -> Iterator[str]:
    """Yield what the lock file names for building or shipping, and may not."""
    for place, package in lock["packages"].items():
        name = place.rpartition("node_modules/")[2]
        if not place or package.get("dev") or package.get("link") or place.endswith(_OURS):
            continue
        licence = package.get("license")
        builds = any(name == each or name.startswith(f"{each}-") for each in BUILDS_ALONE)
        if licence not in PERMISSIVE and not builds:
            yield f"{name}: {licence or 'it names no licence'}"


def wrong_in_files(listed: str) -> Iterator[str]:
    """Yield what is in the built files, and may not be."""
    found = _HEADING.findall(listed)
    if not found:
        yield f"{SHIPPED.name} names no package"
    for name, licence in found:
        if licence not in PERMISSIVE or name in BUILDS_ALONE:
            yield f"{name} is shipped: {licence}"


def main() -> None:
    """Say what is wrong, if anything is."""
    wrong = [*wrong_in_lock(json.loads((WEB / "package-lock.json").read_text()))]
    wrong += wrong_in_files(SHIPPED.read_text()) if SHIPPED.is_file() else ()
    if wrong:
        sys.exit(
            "Error: choose another package, or say in web/licences.py why it will do: " + "; ".join(wrong)
        )


if __name__ == "__main__":
    main()
