"""Text to chunks. Pure functions; one strategy per file."""

from knowlog.chunking.actions import chunk, estimate
from knowlog.chunking.model import (
    LEAST_TOKENS,
    READ_BY,
    ChunkingProfile,
    Span,
    Strategy,
    StrategyName,
    TokenOffsets,
    unread,
)
from knowlog.chunking.port import Embed, LanguageModel, Models
from knowlog.chunking.registry import COMPARING, STRATEGIES, open_language_model, require_models
from knowlog.chunking.settings import ChunkingSettings

__all__ = [
    "COMPARING",
    "LEAST_TOKENS",
    "READ_BY",
    "STRATEGIES",
    "ChunkingProfile",
    "ChunkingSettings",
    "Embed",
    "LanguageModel",
    "Models",
    "Span",
    "Strategy",
    "StrategyName",
    "TokenOffsets",
    "chunk",
    "estimate",
    "open_language_model",
    "require_models",
    "unread",
]
