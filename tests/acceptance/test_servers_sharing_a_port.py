"""Two servers behind one port, as `knowlog up` runs them when the first is busy."""

import asyncio
import os
import re
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from knowlog.cli.processes import Stack, open_stack, servers

ASKED = 'knowlog_http_requests_total{method="GET",route="/health/live",status="200"}'


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[Stack]:
    """A knowlog that takes its first server for busy at once."""
    given = {"API_PORT": "0", "API_PROCESSES": "2", "EMBEDDING_MODEL": "fake"}
    with tempfile.TemporaryDirectory(prefix="knowlog-up-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        environ = {f"KNOWLOG_{name}": value for name, value in {**given, "DATA_DIR": folder}.items()}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(servers, "_BUSY", 0.0)
            async with open_stack({**os.environ, **environ}) as opened:
                yield opened


def address_of(stack: Stack, name: str) -> str:
    program = next(each for each in stack.supervisor.programs if each.name == name)
    return f"http://127.0.0.1:{program.environment['KNOWLOG_API_OWN_PORT']}"


async def asked(stack: Stack, url: str, **params: str) -> float:
    """How often /health/live was asked, as the server there has it."""
    headers = {"Authorization": f"Bearer {stack.operator_key}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as http:
        text = (await http.get(f"{url}/metrics", params=params)).raise_for_status().text
    found = re.search(rf"^{re.escape(ASKED)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def until_both_answer(stack: Stack) -> None:
    async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as http:
        while "api-2" not in stack.supervisor.process_ids:
            await asyncio.sleep(0.1)
        for name in ("api", "api-2"):
            while not await lives(http, address_of(stack, name)):
                await asyncio.sleep(0.1)


async def lives(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(f"{url}/health/ready")).is_success
    except httpx.HTTPError:
        return False


async def ask(stack: Stack, times: int) -> None:
    """Ask the shared port, each time by a connection of its own."""
    for _ in range(times):
        async with httpx.AsyncClient(trust_env=False) as http:
            (await http.get(f"{stack.url}/health/live")).raise_for_status()


async def test_both_servers_serve_and_either_tells_the_figures_of_both(stack: Stack) -> None:
    await until_both_answer(stack)
    before = await asked(stack, stack.url)
    await ask(stack, 40)
    alone = [await asked(stack, address_of(stack, name), alone="true") for name in ("api", "api-2")]
    assert min(alone) > 0, f"one of them served nothing: {alone}"
    told = {
        await asked(stack, url) for url in (stack.url, address_of(stack, "api"), address_of(stack, "api-2"))
    }
    assert told == {sum(alone)} == {before + 40}


async def test_when_one_is_killed_the_other_answers_and_it_comes_back(stack: Stack) -> None:
    await until_both_answer(stack)
    os.kill(stack.supervisor.process_ids["api"], signal.SIGKILL)
    await asyncio.sleep(0.2)
    await ask(stack, 10)
    assert await asked(stack, stack.url) >= 10
    await until_both_answer(stack)
