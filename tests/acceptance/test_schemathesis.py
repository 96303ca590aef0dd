"""The OpenAPI document holds: whatever a generator makes of it, the server answers as it says, and never with 5xx."""

import subprocess
import sys
from pathlib import Path

import pytest

from knowlog.cli.processes import Stack

_SECONDS = 60
_CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method"
)


@pytest.mark.slow
@pytest.mark.parametrize("paths", ["tenants", "others"])
def test_no_generated_request_breaks_the_server(
    running: tuple[Stack, str], tmp_path: Path, paths: str
) -> None:
    """Valid and invalid requests to every operation; tenants with the operator's key, the rest with an owner's."""
    stack, key = running
    tenants = paths == "tenants"
    only = ["--include-path-regex" if tenants else "--exclude-path-regex", "^/v1/tenants"]
    secret = stack.operator_key if tenants else key
    ran = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "run", f"{stack.url}/openapi.json", *only,
            "--header", f"Authorization: Bearer {secret}", "--checks", _CHECKS,
            "--phases", "examples,coverage,fuzzing", "--max-examples", "30", "--no-shrink",
            "--max-time", str(_SECONDS // 6 if tenants else _SECONDS), "--request-timeout", "30", "--seed", "1",
            "--suppress-health-check", "all",
        ],
        capture_output=True, text=True, timeout=_SECONDS * 4, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
