"""Cutting a text into chunks."""

from knowlog.chunking.model import ChunkingProfile, Span, TokenOffsets
from knowlog.chunking.registry import strategy
from knowlog.documents.model import Structure


def chunk(
    text: str, profile: ChunkingProfile, token_offsets: TokenOffsets, structure: Structure
) -> list[Span]:
    """Return the chunks of `text` as spans in order.

    Together they cover every character that is not white space; none is blank, none has more than
    `profile.size_tokens` tokens, and a text that fits is one chunk. The same input gives the same spans.
    The text is tokenised once, so the time is that of tokenising plus a little that grows in step with its
    length.
    """
    return strategy(profile.strategy)(text, profile, token_offsets, structure)
