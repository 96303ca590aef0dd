"""A reply whose pieces were cut within a character, as programs do that count in UTF-16."""

from collections.abc import AsyncGenerator

from knowlog.llm import FakeModel, LlmSettings, OpenAccount, Price, Prompt, Provider, Usage
from knowlog.resilience import Guard, Policy


class Cutting(FakeModel):
    """Sends a character in two halves, and half of another."""

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Usage, None]:
        for piece in ("Well \ud83d", "\ude00 done\udc00."):
            yield piece


async def test_halves_are_joined_and_what_stays_half_is_replaced() -> None:
    """What comes of a reply can be written down anywhere."""
    provider = Provider(Cutting(), Price(), LlmSettings(), Guard("cutting model of a test", Policy()))
    reply = await provider.complete(Prompt("Be brief.", "Say something.", 50), OpenAccount())
    assert reply.text == "Well \U0001f600 done\ufffd."
