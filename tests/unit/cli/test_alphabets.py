"""Where commands write to: alphabets that lack a character, disks that are full."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_SAYS = "from knowlog.cli.output import out, print_json, say; {}"
_TEXT = "Größe 東 \U0001f525"


def run(program: str, encoding: str) -> subprocess.CompletedProcess[bytes]:
    environ = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-c", _SAYS.format(program)]
    return subprocess.run(command, env=environ, capture_output=True, check=False, timeout=120)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", r"Gr\xf6\xdfe \u6771 \U0001f525"),
        ("latin-1", r"Größe \u6771 \U0001f525"),
        ("utf-8", _TEXT),
    ],
)
def test_what_an_alphabet_lacks_is_shown_escaped(encoding: str, shown: str) -> None:
    """A document may hold any character; a terminal of an old locale is no reason to fail."""
    done = run(f"out.print({_TEXT!r}); say({_TEXT!r})", encoding)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode(encoding).strip() == shown
    assert done.stderr.decode(encoding).strip() == shown


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_json_in_every_alphabet(encoding: str) -> None:
    """What reads it gets the characters."""
    done = run(f"print_json({{'said': {_TEXT!r}}})", encoding)
    assert json.loads(done.stdout.decode(encoding)) == {"said": _TEXT}


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_a_full_disk_under_the_output_is_told_in_a_sentence(options: list[str], tmp_path: Path) -> None:
    """Of the shell's redirection."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    environ = {**os.environ, "KNOWLOG_DATA_DIR": str(tmp_path)}
    with full.open("w") as written:
        done = subprocess.run(
            [sys.executable, "-m", "knowlog", "config", *options], env=environ, stdout=written, stderr=subprocess.PIPE,
            text=True, check=False, timeout=120,
        )  # fmt: skip
    assert done.returncode == 1
    assert "No space left on device. Make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
