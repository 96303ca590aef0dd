"""What indexing and building have in common: a collection's profile, and the chunks of a text as they are stored."""

from collections.abc import Mapping, Sequence
from typing import Any

from knowlog.chunking import ChunkingProfile, Span
from knowlog.documents import ParsedText
from knowlog.stores import ChunkRow

_MARKS = 2  # what models put before and after a text


def chunking_profile(profile: Mapping[str, Any], window: int) -> ChunkingProfile:
    """A collection's, with chunks no larger than the models read at once: they may have come after it."""
    fields = dict(profile.get("chunking", {}))
    size = fields.get("size_tokens", ChunkingProfile.model_fields["size_tokens"].default)
    fields["size_tokens"] = min(size, window - _MARKS)
    return ChunkingProfile.read(fields, window)


def rows_of(spans: Sequence[Span], parsed: ParsedText) -> list[ChunkRow]:
    """Return the chunks of a text as they are stored."""
    ordinals = {(span.start, span.end): ordinal for ordinal, span in enumerate(spans) if span.parent is None}
    families = {span.parent for span in spans}
    rows = []
    for ordinal, span in enumerate(spans):
        own = (span.start, span.end)
        family = span.parent or (own if own in families else None)
        rows.append(_row(ordinal, span, parsed, ordinals.get(family) if family else None))
    return rows


def _row(ordinal: int, span: Span, parsed: ParsedText, parent: int | None) -> ChunkRow:
    structure = parsed.structure
    return ChunkRow(
        ordinal, span.start, span.end, parsed.text[span.start : span.end], structure.page_at(span.start),
        structure.headings_at(span.start), structure.pages_within(span.start, span.end),
        structure.sections_within(span.start, span.end), span.context, span.token_count, parent,
    )  # fmt: skip
