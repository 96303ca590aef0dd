"""A whole knowlog of real processes, shared by the tests that only use it."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from browser import chromium
from knowlog.cli.local_tenant import ensure_tenant
from knowlog.cli.processes import Stack, open_stack
from openid_provider import Provider

__all__ = ["chromium"]


@pytest.fixture(scope="session")
def openid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A real OpenID provider that the stack may reach, once a test has started it."""
    made = Provider(tmp_path_factory.mktemp("openid"))
    yield made
    made.stop()


@pytest.fixture(scope="session")
async def running(openid: Provider) -> AsyncIterator[tuple[Stack, str]]:
    """A running stack and the key of a tenant in it."""
    with tempfile.TemporaryDirectory(prefix="knowlog-up-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        environ = {
            "KNOWLOG_DATA_DIR": folder,
            "KNOWLOG_API_PORT": "0",
            "KNOWLOG_DATABASE_SILOS": "acme=here",  # of the guide
            "KNOWLOG_API_SIGN_ON_PRIVATE_HOSTS": f"127.0.0.1:{openid.port}",
            "KNOWLOG_WEBHOOKS_PRIVATE_HOSTS": "127.0.0.1:9911",  # the receiver of the guide
        }
        async with open_stack({**os.environ, **environ}) as stack:
            kept = ensure_tenant(stack.url, stack.operator_key, stack.settings.data_dir, "readme")
            yield stack, kept["key"]
