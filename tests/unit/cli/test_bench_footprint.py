"""What an installation costs, read from the machine itself."""

import os
import re
import subprocess
import sys

import pytest

from knowlog.cli.bench.footprint import _CITATION, _SERVING
from knowlog.cli.bench.installed import installed_bytes, installed_packages
from knowlog.cli.bench.process_tree import pss_bytes, tree


@pytest.fixture(scope="module")
def sizes() -> dict[str, int]:
    return {package.name.lower(): installed_bytes(package) for package in installed_packages()}


def test_what_knowlog_needs_is_counted(sizes: dict[str, int]) -> None:
    """Itself, what it names, and what that needs in turn; each with its files."""
    assert {"knowlog", "numpy", "onnxruntime", "fastapi", "starlette"} <= sizes.keys()
    assert sizes["numpy"] > 20_000_000
    assert sizes["knowlog"] > 500_000


def test_what_only_development_or_an_extra_needs_is_not(sizes: dict[str, int]) -> None:
    """They are not installed with `pip install knowlog`."""
    assert not {"pytest", "mypy", "ruff", "confluent-kafka", "fastembed"} & sizes.keys()


def test_memory_is_that_of_all_descendants() -> None:
    """A process that holds 50 MB counts for that, also as a grandchild."""
    code = "x = b'x' * 50_000_000; print(flush=True); input()"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", nested], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        held = list(map(pss_bytes, tree(process.pid)))
        process.communicate(b"\n")
    assert len(held) == 2
    assert 50_000_000 < sum(held) < 150_000_000
    assert pss_bytes(process.pid) == 0


def test_only_citations_are_taken_for_citations() -> None:
    """A line of `knowlog demo` as it is printed."""
    assert re.search(_CITATION, "     handbook/leave.md, version 1, characters 120 to 188")
    assert not re.search(_CITATION, "Your documents do not say.")
    assert re.search(_SERVING, f"Data   {os.sep}tmp")
