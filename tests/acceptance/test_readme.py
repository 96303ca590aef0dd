"""The examples of the README and of the guide are run as they stand."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guide import DOCS, executed
from knowlog.cli.client import Client
from knowlog.cli.processes import Stack

README = DOCS.parent / "README.md"
GUIDE = [page for page in sorted((DOCS / "guide").glob("*.md")) if Path(__file__).name in page.read_text()]


def environment(stack: Stack, key: str) -> dict[str, str]:
    """What a terminal of the installation's machine has: our commands first, its data directory, its address."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    known = {
        "KNOWLOG_URL": stack.url,
        "KNOWLOG_KEY": key,
        "KNOWLOG_DATA_DIR": str(stack.settings.data_dir),
    }
    return {**os.environ, "PATH": path, **known}


def key_for(page: Path, stack: Stack) -> str:
    """The key of a tenant of the page's own: what one page takes in is in no answer that another promises."""
    with Client(stack.url, stack.operator_key) as client:
        return str(client.post("/v1/tenants", {"name": f"guide {page.stem}"})["secret"])


def documents(text: str) -> Iterator[dict[str, Any]]:
    """The JSON documents of a text in which they follow each other."""
    while text.strip():
        found, end = json.JSONDecoder().raw_decode(text.lstrip())
        yield found
        text = text.lstrip()[end:]


async def test_the_example_over_http_answers_as_the_readme_says(running: tuple[Stack, str]) -> None:
    """Create a collection, upload, ask: the answer quotes the sentence that the README promises."""
    stack, key = running
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", executed(README, __file__)[0], stdout=asyncio.subprocess.PIPE, env=environment(stack, key),
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0
    answer = list(documents(output.decode()))[-1]
    assert answer["status"] == "answered"
    assert "A hotel night may cost at most 140 euros." in answer["text"]


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
async def test_the_examples_of_the_guide_say_what_it_promises(
    page: Path, running: tuple[Stack, str], tmp_path: Path
) -> None:
    """Every block runs to its end, and prints what stands behind its arrows, in that order."""
    stack, _ = running
    known = environment(stack, key_for(page, stack))
    for block in executed(page, __file__):
        process = await asyncio.create_subprocess_exec(
            "bash", "-euc", block, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=known, cwd=tmp_path,
        )  # fmt: skip
        printed = (await process.communicate())[0].decode()
        assert process.returncode == 0, printed
        output = " ".join(printed.split())
        for promised in re.findall(r"^# → (.*)$", block, re.M):
            assert promised in output
            output = output[output.index(promised) + len(promised) :]
