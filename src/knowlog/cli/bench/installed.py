"""How much room knowlog and what it needs take where they are installed."""

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import cache_from_source
from pathlib import Path

import knowlog

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_OWN = "knowlog"
_BLOCK_BYTES = 512  # of st_blocks, whatever the file system


def installed_packages() -> list[Distribution]:
    """Return knowlog and everything that it needs, directly or not, without extras."""
    found: dict[str, Distribution] = {}
    wanted = [_OWN]
    while wanted:
        name = wanted.pop()
        if name not in found:
            try:
                found[name] = distribution(name)
            except PackageNotFoundError:  # needed on another platform or an older Python
                continue
            wanted += _needed(found[name])
    return list(found.values())


def installed_bytes(package: Distribution) -> int:
    """The room that a package's files take on the disk, those that Python has compiled included."""
    files = {Path(str(file.locate())) for file in package.files or ()}
    if package.name == _OWN:  # a working copy is installed by its address alone
        files.update(Path(knowlog.__file__).parent.rglob("*"))
    compiled = {Path(cache_from_source(str(file))) for file in files if file.suffix == ".py"}
    return sum(file.stat().st_blocks * _BLOCK_BYTES for file in files | compiled if file.is_file())


def _needed(package: Distribution) -> Iterator[str]:
    for requirement in package.requires or ():
        name, _, marker = requirement.partition(";")
        if "extra ==" not in marker.replace("extra==", "extra =="):
            matched = _NAME.match(name)
            if matched:
                yield matched[0].lower().replace("_", "-")
