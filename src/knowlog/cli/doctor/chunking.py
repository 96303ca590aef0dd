"""The language model that the chunking strategy `llm` asks, tried for real."""

import asyncio
from collections.abc import AsyncIterator

from knowlog.chunking import open_language_model
from knowlog.cli.doctor.model import Finding, ok
from knowlog.settings import Settings


async def check_language_model(settings: Settings) -> AsyncIterator[Finding]:
    """Ask it for one word. Nothing is found where none is set: no other strategy needs it."""
    model = open_language_model(settings.chunking)
    if model is not None:
        await asyncio.to_thread(model.complete, "Answer with one word: yes.")
        yield ok("language model", f"{model.name} answers")
