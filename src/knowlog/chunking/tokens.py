"""A text as a row of tokens: the coordinates in which strategies choose where to cut."""

import numpy as np
import numpy.typing as npt

from knowlog.chunking.model import Offsets, Span

MAX_TOKEN_CHARS = 32
"""A longer stretch without a token start counts as one token per this many characters. Tokenisers take a
word of any length as one unknown token and drop control characters; without this a chunk could be of any
size in bytes."""

Indices = npt.NDArray[np.int64]


class TokenMap:
    """Token starts of a text. Token i is the characters [start(i), start(i + 1))."""

    def __init__(self, text: str, starts: Offsets) -> None:
        self._text = text
        self._starts = _with_virtual_starts(np.asarray(starts, dtype=np.int64), len(text))

    def __len__(self) -> int:
        return len(self._starts)

    def start(self, index: int) -> int:
        """Return the offset of token `index`; the length of the text for the one beyond the last."""
        return int(self._starts[index]) if index < len(self._starts) else len(self._text)

    def at_or_after(self, offsets: Indices) -> Indices:
        """Return the first token at or after each of the ascending `offsets`, each token once."""
        return np.unique(np.searchsorted(self._starts, offsets))

    def span(self, first: int, after_last: int) -> Span | None:
        """Return tokens [first, after_last) as a span without outer white space; None when it is blank."""
        start, end = self.start(first) if first else 0, self.start(after_last)
        piece = self._text[start:end]
        stripped = piece.lstrip()
        if not stripped:
            return None
        start = end - len(stripped)
        return Span(start, start + len(stripped.rstrip()), after_last - first)


def _with_virtual_starts(starts: Indices, length: int) -> Indices:
    """Return the starts with more of them in every stretch that is longer than a token may be."""
    edges = np.concatenate([[0], starts, [length]])
    gaps = np.diff(edges)
    long = np.flatnonzero(gaps > MAX_TOKEN_CHARS)
    if not len(long):
        return starts
    extra = [np.arange(edges[gap] + MAX_TOKEN_CHARS, edges[gap + 1], MAX_TOKEN_CHARS) for gap in long]
    return np.unique(np.concatenate([starts, *extra]))
