"""Cutting a text into chunks."""

from dataclasses import replace

from knowlog.chunking.blocks import header_at, tables
from knowlog.chunking.limits import within_limit
from knowlog.chunking.model import ChunkingProfile, Span, TokenOffsets
from knowlog.chunking.port import Models
from knowlog.chunking.registry import strategy
from knowlog.chunking.strategies.llm import Cost, cost
from knowlog.chunking.tokens import TokenMap
from knowlog.chunking.work import Work
from knowlog.documents.model import Structure

_NO_MODELS = Models()


def chunk(
    text: str,
    profile: ChunkingProfile,
    token_offsets: TokenOffsets,
    structure: Structure,
    models: Models = _NO_MODELS,
    media_type: str = "text/plain",
) -> list[Span]:
    """Return the chunks of `text` as spans in order.

    Together they cover every character that is not white space; none is blank, none has more than
    `profile.size_tokens` tokens, also when it is tokenised alone, and a text that fits is one chunk. The same input
    gives the same spans. The text is tokenised once, so the time is that of tokenising plus a little that grows in step
    with its length, and what the `models` take that some strategies ask. Raises Invalid where such a model is missing.
    """
    work = Work(
        text, structure, profile, token_offsets, TokenMap(text, token_offsets(text)), models, media_type
    )
    if len(work.tokens) <= profile.size_tokens and profile.strategy != "parent_child":
        return work.spans([(0, len(work.tokens))])
    return _with_headers(text, within_limit(work, strategy(profile.strategy)(work)))


def _with_headers(text: str, spans: list[Span]) -> list[Span]:
    """Give each chunk that begins inside a table the table's header, whichever strategy has cut there."""
    found = tables(text) if "|" in text else []
    if not found:
        return spans
    headers = ((span, header_at(found, span.start)) for span in spans)
    return [span if header is None else replace(span, context=(header,)) for span, header in headers]


def estimate(text: str, profile: ChunkingProfile, token_offsets: TokenOffsets, structure: Structure) -> Cost:
    """Return what the strategy `llm` would ask a language model for this text; nobody is asked."""
    return cost(Work(text, structure, profile, token_offsets, TokenMap(text, token_offsets(text))))
