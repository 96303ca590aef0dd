"""The walls around a reader, each tried from inside while another is missing."""

import json
import subprocess
import sys

import pytest

from knowlog.cli.doctor.safety import judge_walls
from knowlog.formats.walls import ATTACKS

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="seccomp and Landlock, the walls, are part of Linux alone"
)
ATTACKED = """
import json, sys
import knowlog.formats.confine as confine, knowlog.formats.walls as walls
{missing}
walls.confine_for_good()
walls.confine_for_one_file(walls._ALLOWANCE)
sys.stdout.write(json.dumps({{attack.__name__: walls.holds(attack) for attack in walls.ATTACKS}}))
"""
MISSING = {
    "nothing": "pass",
    "landlock": "confine.read_nothing_but_code = lambda: False",
    "seccomp": "confine.refuse_calls = lambda: False",
    "namespace": "confine._CLONE_NEWUSER = confine._CLONE_NEWNET = 0",
    "namespace and landlock": "confine._CLONE_NEWUSER = confine._CLONE_NEWNET = 0;"
    " confine.read_nothing_but_code = lambda: False",
}


def held_without(missing: str) -> dict[str, bool]:
    """Which attacks are refused while a wall is missing."""
    script = ATTACKED.format(missing=MISSING[missing])
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, bool] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("missing", ["nothing", "namespace"])
def test_nothing_is_reached(missing: str) -> None:
    """No network, no file, no writing, no other process; nor where the kernel gives no namespace."""
    assert held_without(missing) == dict.fromkeys((attack.__name__ for attack in ATTACKS), True)


def test_the_filter_alone_keeps_network_and_processes_out() -> None:
    """As in a container that allows neither namespaces nor Landlock. Then doctor says what could be read."""
    held = held_without("namespace and landlock")
    assert (held["network"], held["processes"], held["files"]) == (True, True, False)
    assert judge_walls(held).outcome == "warn"
    assert "read this machine's files" in judge_walls(held).found


def test_the_attacks_are_real() -> None:
    """Where the filter is missing, a process can be started: what the other tests see is its doing."""
    assert held_without("seccomp")["processes"] is False
    assert held_without("landlock")["files"] is False


def test_a_whole_wall_is_in_order() -> None:
    """Doctor has nothing to say then."""
    assert judge_walls({"network": True, "files": True}).outcome == "ok"
