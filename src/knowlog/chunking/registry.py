"""Chunking strategies by name, and the models that they ask. A strategy is one file with one function `split`."""

from importlib import import_module
from typing import cast

from knowlog.chunking.model import ChunkingProfile, Strategy
from knowlog.chunking.port import NO_LANGUAGE_MODEL, LanguageModel
from knowlog.chunking.settings import ChunkingSettings
from knowlog.kernel.errors import Invalid

STRATEGIES: dict[str, str] = {
    "fixed": "knowlog.chunking.strategies.fixed.split",
    "sliding_window": "knowlog.chunking.strategies.sliding_window.split",
    "paragraph": "knowlog.chunking.strategies.paragraph.split",
    "sentence": "knowlog.chunking.strategies.sentence.split",
    "recursive": "knowlog.chunking.strategies.recursive.split",
    "semantic": "knowlog.chunking.strategies.semantic.split",
    "llm": "knowlog.chunking.strategies.llm.split",
    "parent_child": "knowlog.chunking.strategies.parent_child.split",
    "structure": "knowlog.chunking.strategies.structure.split",
    "cluster_semantic": "knowlog.chunking.strategies.cluster_semantic.split",
}

COMPARING = frozenset(("semantic", "cluster_semantic"))
"""Strategies that compare sentences by their vectors, and so have them embedded."""


def strategy(name: str) -> Strategy:
    """Return the strategy of that name; Invalid for a name that none has."""
    if name not in STRATEGIES:
        raise Invalid(f"There is no chunking strategy {name!r}. Choose one of: {', '.join(STRATEGIES)}.")
    module, _, function = STRATEGIES[name].rpartition(".")
    return cast(Strategy, getattr(import_module(module), function))


def open_language_model(settings: ChunkingSettings) -> LanguageModel | None:
    """Open the language model that the settings name; None where they name none. Raises Misconfigured."""
    if settings.llm_url is None and settings.llm_model is None:
        return None
    from knowlog.chunking.adapters.openai import open_openai  # loads the client of HTTP, which few need

    return open_openai(settings)


def require_models(profile: ChunkingProfile, language: LanguageModel | None) -> None:
    """Raise Invalid where the strategy of a profile asks a language model and there is none."""
    if profile.strategy == "llm" and language is None:
        raise Invalid(NO_LANGUAGE_MODEL)
