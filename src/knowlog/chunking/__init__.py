"""Text to chunks. Pure functions; one strategy per file."""

from knowlog.chunking.actions import chunk
from knowlog.chunking.model import ChunkingProfile, Span, Strategy, TokenOffsets
from knowlog.chunking.registry import STRATEGIES

__all__ = ["STRATEGIES", "ChunkingProfile", "Span", "Strategy", "TokenOffsets", "chunk"]
