"""The example of the guide to sources is run as it stands."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from guide import DOCS, executed
from knowlog.cli.local_tenant import ensure_tenant
from knowlog.cli.processes import open_stack
from servers import Running, running_server


@pytest.fixture
def redis() -> Iterator[Running]:
    """A server of our own."""
    with running_server("redis") as running:
        yield running


async def test_the_example_brings_documents_in(redis: Running) -> None:
    """Two documents are taken and found; what is no event is a dead letter with its cause."""
    with tempfile.TemporaryDirectory(prefix="knowlog-up-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        environ = {
            **os.environ, "KNOWLOG_DATA_DIR": folder, "KNOWLOG_API_PORT": "0", "KNOWLOG_SOURCES_REDIS_URL": redis.url
        }  # fmt: skip
        async with open_stack(environ) as stack:
            kept = ensure_tenant(stack.url, stack.operator_key, stack.settings.data_dir, "shop")
            process = await asyncio.create_subprocess_exec(
                "bash", "-euc", executed(DOCS / "guide/sources.md", __file__)[0], stdout=asyncio.subprocess.PIPE,
                env={
                    **environ, "KNOWLOG_URL": stack.url, "KNOWLOG_KEY": kept["key"], "TENANT": kept["tenant_id"],
                    "REDIS_URL": redis.url, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                },
            )  # fmt: skip
            output, _ = await asyncio.wait_for(process.communicate(), 120)
            assert process.returncode == 0
    assert "warranty of 24 months" in output.decode()
    assert "cannot be read as JSON" in output.decode()
