"""What is shown of a file that was cut in several ways."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from knowlog.chunking import ChunkingProfile, Span
from knowlog.documents import ParsedText

BINS = 10


@dataclass(frozen=True, slots=True)
class Cut:
    """The chunks that one strategy makes of a text, and how long that took."""

    profile: ChunkingProfile
    spans: Sequence[Span]
    took_ms: float

    @property
    def name(self) -> str:
        """The strategy's name."""
        return self.profile.strategy

    @property
    def sizes(self) -> list[int]:
        """Tokens of each chunk."""
        return [span.token_count for span in self.spans]

    @property
    def largest(self) -> int:
        """Most tokens that a chunk of this profile may have."""
        profile = self.profile
        return profile.child_tokens if profile.strategy == "parent_child" else profile.size_tokens

    def histogram(self) -> list[tuple[int, int]]:
        """Return (most tokens, chunks) of equal steps up to the largest that a chunk may be."""
        step = -(-self.largest // BINS)
        counts = [0] * BINS
        for size in self.sizes:
            counts[min(BINS - 1, max(0, size - 1) // step)] += 1
        return [(step * (place + 1), count) for place, count in enumerate(counts)]

    def summary(self) -> dict[str, Any]:
        """Return number and sizes of the chunks."""
        sizes = self.sizes or [0]
        return {
            "chunks": len(self.spans),
            "mean_tokens": round(statistics.mean(sizes), 1),
            "median_tokens": statistics.median(sizes),
            "least_tokens": min(sizes),
            "most_tokens": max(sizes),
            "took_ms": round(self.took_ms, 1),
        }


def as_json(parsed: ParsedText, tokens: int, cuts: Sequence[Cut]) -> dict[str, Any]:
    """Return everything as one JSON value."""
    return {
        "characters": len(parsed.text),
        "tokens": tokens,
        "strategies": [
            {
                "strategy": cut.name,
                "profile": cut.profile.settled(),
                **cut.summary(),
                "histogram": [{"up_to_tokens": most, "chunks": count} for most, count in cut.histogram()],
                "spans": [_span(parsed, span) for span in cut.spans],
            }
            for cut in cuts
        ],
    }


def _span(parsed: ParsedText, span: Span) -> dict[str, Any]:
    return {
        "start": span.start,
        "end": span.end,
        "tokens": span.token_count,
        "page": parsed.structure.page_at(span.start),
        "headings": list(parsed.structure.headings_at(span.start)),
        "context": list(span.context),
        "parent": span.parent,
        "text": parsed.text[span.start : span.end],
    }


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text that the same `holders` chunks hold; the last of these is `number`, and may begin here."""

    text: str
    number: int | None
    holders: int
    begins: bool


def pieces(text: str, spans: Sequence[Span], start: int, end: int) -> list[Piece]:
    """Cut text[start:end] wherever a chunk begins or ends."""
    near = [(number, span) for number, span in enumerate(spans) if span.start < end and span.end > start]
    edges = sorted(
        {start, end, *(edge for _, span in near for edge in (span.start, span.end) if start < edge < end)}
    )
    found = []
    for first, after_last in pairwise(edges):
        holding = [number for number, span in near if span.start <= first and span.end >= after_last]
        begins = bool(holding) and spans[holding[-1]].start == first
        found.append(Piece(text[first:after_last], holding[-1] if holding else None, len(holding), begins))
    return found
