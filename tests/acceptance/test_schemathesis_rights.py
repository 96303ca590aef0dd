"""What a generator finds of others' objects, of refused and missing keys, and of what was deleted."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from knowlog.cli.processes import Stack

CHECKS = (
    "ignored_auth,use_after_free,ensure_resource_availability,object_level_authorization,not_a_server_error"
)
CONFIG = """
[auth.wfc]
path = "auth.json"
user = "{user}"
peers = ["alice", "charlie"]
"""


def tenant_with_a_document(stack: Stack, name: str) -> str:
    """A tenant with a collection and a document in it; returns its owner's key."""
    operator = {"Authorization": f"Bearer {stack.operator_key}"}
    made = httpx.post(f"{stack.url}/v1/tenants", json={"name": name}, headers=operator).json()
    owner = {"Authorization": f"Bearer {made['secret']}"}
    with httpx.Client(base_url=stack.url, headers=owner) as http:
        http.post("/v1/collections", json={"name": f"handbook-of-{name}"}).raise_for_status()
        sent = {"text": f"What {name} alone knows.", "external_id": f"only-{name}"}
        http.post(f"/v1/collections/handbook-of-{name}/documents", json=sent).raise_for_status()
    return str(made["secret"])


@pytest.mark.slow
def test_no_generated_request_reaches_what_is_anothers(running: tuple[Stack, str], tmp_path: Path) -> None:
    """Alice and Charlie, of two tenants: neither gets the other's objects, none come without a key or after deletion."""
    stack, _ = running
    keys = {name: tenant_with_a_document(stack, name) for name in ("alice", "charlie")}
    shown = {name: [{"name": "Authorization", "value": f"Bearer {key}"}] for name, key in keys.items()}
    people = [{"name": name, "fixedHeaders": headers} for name, headers in shown.items()]
    (tmp_path / "auth.json").write_text(json.dumps({"auth": people}))
    (tmp_path / "schemathesis.toml").write_text(CONFIG.format(user="alice"))
    ran = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "run", f"{stack.url}/openapi.json",
            "--exclude-path-regex", "^/v1/(tenants|queues|events/stream)|^/metrics|/events$", "--checks", CHECKS,
            "--phases", "examples,fuzzing,stateful", "--max-examples", "15", "--no-shrink", "--max-time", "90",
            "--request-timeout", "30", "--seed", "1", "--suppress-health-check", "all",
        ],
        capture_output=True, text=True, timeout=280, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, (
        ran.stdout[max(0, ran.stdout.find("= FAILURES")) :][:9000] + ran.stderr[-2000:]
    )
