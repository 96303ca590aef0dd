"""The README's examples are run as they stand."""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from knowlog.cli.processes import Stack

README = Path(__file__).parents[2] / "README.md"


def commands() -> str:
    """The block that the README marks as executed."""
    block = re.search(
        r"<!-- executed by tests/acceptance/test_readme.py -->\n```bash\n(.*?)```", README.read_text(), re.S
    )
    assert block, "the README has lost its example"
    return block[1]


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
        "bash", "-euc", commands(), stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "KNOWLOG_URL": stack.url, "KNOWLOG_KEY": key},
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0
    answer = list(documents(output.decode()))[-1]
    assert answer["status"] == "answered"
    assert "A hotel night may cost at most 140 euros." in answer["text"]
