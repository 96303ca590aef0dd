"""Fake language models for tests, each behind a guard of its own: what another test's model did opens no breaker here."""

from collections.abc import Callable

from knowlog.llm import FakeModel, LlmSettings, Price, Prompt, Provider
from knowlog.resilience import Guard, Policy


def fake_provider(reply: Callable[[Prompt], str] | None = None) -> tuple[FakeModel, Provider]:
    """A model that replies so, and what rooms above ask it by, for nothing."""
    model = FakeModel(reply)
    return model, Provider(model, Price(), LlmSettings(), Guard("fake model of a test", Policy()))
