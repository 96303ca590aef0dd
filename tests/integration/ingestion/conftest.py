"""The scene of these tests: a parser with its real child processes."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from knowlog.ingestion import ParsingSettings
from knowlog.ingestion.parsing import Parser


@pytest.fixture(scope="session")
async def parser() -> AsyncIterator[Parser]:
    """Return a parser as the product has it, with a shorter time limit."""
    opened = Parser(ParsingSettings(timeout_s=6, memory_mb=768))
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def documents_data() -> Path:
    """Return the folder of sample documents; skip where it is absent."""
    folder = Path(os.environ.get("KNOWLOG_DATA", "")) / "documents"
    if not os.environ.get("KNOWLOG_DATA") or not folder.is_dir():
        pytest.skip("KNOWLOG_DATA names no folder with documents/ in it: the sample documents were not read")
    return folder
