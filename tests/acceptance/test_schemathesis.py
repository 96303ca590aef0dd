"""The OpenAPI document holds: whatever a generator makes of it, the server answers as it says, and never with 5xx."""

import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from knowlog.cli.processes import Stack, open_stack

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method"
)


PARTS = {
    # part: (paths, seconds, whose key); each part may end what the one before needed, down to all tenants
    # /v1/events/stream does not end by itself, so that waiting for its answer would be in vain
    "everything else": (["--exclude-path-regex", "^/v1/(tenants|keys|events/stream)"], 60, "owner"),
    "keys": (["--include-path-regex", "^/v1/keys"], 10, "owner"),
    "tenants": (["--include-path-regex", "^/v1/tenants"], 10, "operator"),
}


@pytest.fixture(scope="module")
async def victim() -> AsyncIterator[Stack]:
    """A stack for this file alone: nothing in it survives."""
    with tempfile.TemporaryDirectory(prefix="knowlog-st-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        async with open_stack({**os.environ, "KNOWLOG_DATA_DIR": folder, "KNOWLOG_API_PORT": "0"}) as stack:
            yield stack


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_no_generated_request_breaks_the_server(victim: Stack, tmp_path: Path, part: str) -> None:
    """Valid and invalid requests to every operation."""
    paths, seconds, whose = PARTS[part]
    secret = victim.operator_key if whose == "operator" else owner_key(victim)
    ran = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "run", f"{victim.url}/openapi.json", *paths,
            "--header", f"Authorization: Bearer {secret}", "--checks", CHECKS,
            "--phases", "examples,coverage,fuzzing", "--max-examples", "30", "--no-shrink",
            "--max-time", str(seconds), "--request-timeout", "30", "--seed", "1", "--suppress-health-check", "all",
        ],
        capture_output=True, text=True, timeout=seconds * 4, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]


def owner_key(stack: Stack) -> str:
    """The key of a new tenant with a collection in it."""
    operator = {"Authorization": f"Bearer {stack.operator_key}"}
    made = httpx.post(f"{stack.url}/v1/tenants", json={"name": "schemathesis"}, headers=operator).json()
    owner = {"Authorization": f"Bearer {made['secret']}"}
    httpx.post(f"{stack.url}/v1/collections", json={"name": "handbook"}, headers=owner).raise_for_status()
    return str(made["secret"])
