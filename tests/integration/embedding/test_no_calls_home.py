"""What embeds tells nobody."""

import os
import subprocess
import sys
from pathlib import Path


def test_the_library_that_runs_networks_keeps_and_reports_nothing(tmp_path: Path) -> None:
    """Left to itself it would keep an id of the machine in the home, and send reports from there."""
    program = "import knowlog.embedding.adapters.bert.session"
    surroundings = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    surroundings.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", program], env=surroundings, check=True)
    assert list(tmp_path.iterdir()) == []
