"""What an installation costs, by the command that says so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_footprint_is_what_was_promised(tmp_path: Path) -> None:
    """Under 600 MB installed, under 700 MB of memory with PostgreSQL after the demo; the first answer is cited."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("KNOWLOG_")}
    done = subprocess.run(
        [sys.executable, "-m", "knowlog", "bench", "footprint", "--json", str(tmp_path / "out.json")],
        env=mine, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "out.json").read_text())["metrics"]
    assert 200 < figures["installed_mb"] < 600
    assert 100 < figures["memory_mb"] < 700
    assert figures["memory_mb"] == pytest.approx(
        figures["knowlog_memory_mb"] + figures["postgresql_memory_mb"]
    )
    assert figures["postgresql_memory_mb"] > 10
    assert 0 < figures["first_answer_s"] < 200
