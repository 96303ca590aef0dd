"""The hard maximum: a chunk holds no more tokens than it may when it is tokenised alone."""

from dataclasses import replace

from knowlog.chunking.model import Span
from knowlog.chunking.tokens import TokenMap, read_otherwise, tears_sign
from knowlog.chunking.work import Work


def within_limit(work: Work, spans: list[Span]) -> list[Span]:
    """Return the spans with those cut again that were cut inside a word and have more tokens alone than in the text.

    A tokeniser reads a text word by word, so that whole words have as many tokens here as there; only what begins or
    ends inside of what may be a word to it has to be counted again.
    """
    found: list[Span] = []
    for span in spans:
        if read_otherwise(work.text, span.start) or read_otherwise(work.text, span.end):
            found += _halved(work, span)
        else:
            found.append(span)
    return found


def _halved(work: Work, span: Span) -> list[Span]:
    """Return the span, or its parts where it has too many tokens."""
    piece = work.text[span.start : span.end]
    count = len(TokenMap(piece, work.token_offsets(piece)))
    if count <= work.limit(span) or len(piece) < 2:
        return [replace(span, token_count=max(count, min(span.token_count, work.limit(span))))]
    middle = len(piece) // 2
    while middle > 1 and tears_sign(piece, middle):
        middle -= 1
    parts = (span.start, span.start + middle), (span.start + middle, span.end)
    return [each for start, end in parts for each in _part(work, span, start, end)]


def _part(work: Work, span: Span, start: int, end: int) -> list[Span]:
    piece = work.text[start:end]
    kept = piece.strip()
    if not kept:
        return []
    start += len(piece) - len(piece.lstrip())
    share = max(1, span.token_count * len(kept) // (span.end - span.start))
    return _halved(work, replace(span, start=start, end=start + len(kept), token_count=share))
