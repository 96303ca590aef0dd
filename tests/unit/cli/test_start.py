"""A command starts at once: what is slow to load is loaded by those that need it."""

import subprocess
import sys

_SLOW = {"asyncpg", "fastapi", "httpx", "joserfc", "numpy", "onnxruntime"}


def test_the_commands_are_known_without_what_is_slow_to_load() -> None:
    """A third of what `knowlog --help` took went to an HTTP client that it does not use."""
    asked = (
        f"import sys, knowlog.cli.app; print(*({_SLOW!r} & {{name.split('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
