"""The language models that write answers, each asked for real."""

from collections.abc import AsyncIterator

from knowlog.cli.doctor.model import Finding, fail, ok
from knowlog.kernel.errors import KnowlogError
from knowlog.llm import OpenAccount, Prompt, open_providers
from knowlog.settings import Settings

_PART = "model for answers"
_PROMPT = Prompt("Answer with one word.", "Say yes.", 8)


async def check_providers(settings: Settings) -> AsyncIterator[Finding]:
    """Ask each for one word. Nothing is found where none is set: answers are quotations then."""
    for provider in open_providers(settings.llm):
        try:
            reply = await provider.complete(_PROMPT, OpenAccount())
            yield ok(_PART, f"the {provider.name} answers ({reply.usage.tokens} tokens)")
        except KnowlogError as error:
            yield fail(
                _PART,
                error.detail,
                "Correct the KNOWLOG_LLM_ settings; meanwhile answers are made of quotations.",
            )
        finally:
            await provider.close()
