"""A text as a row of tokens: the coordinates in which strategies choose where to cut."""

from unicodedata import category

import numpy as np
import numpy.typing as npt

from knowlog.chunking.model import Offsets, Span

MAX_TOKEN_CHARS = 32
"""A longer stretch without a token start counts as one token per this many characters. Tokenisers take a
word of any length as one unknown token and drop control characters; without this a chunk could be of any
size in bytes."""

Indices = npt.NDArray[np.int64]
Range = tuple[int, int]
"""Tokens [first, after_last) of a text."""

_FAR_BACK = 64  # tokens that are looked at for a place that tears nothing apart
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Mn"})
_JOINERS = frozenset("\u200d\u200c")  # zero width; what stands on either side is one sign
_MODIFIERS = range(0x1F3FB, 0x1F400)  # skin tones
_FLAGS = range(0x1F1E6, 0x1F200)  # two of these letters are one flag


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

    def index(self, offset: int) -> int:
        """Return the first token at or after an offset."""
        return int(np.searchsorted(self._starts, offset))

    def last_cut(self, least: int, most: int) -> int:
        """Return the last token of [least, most] that follows a space; else one that tears no word or sign apart."""
        space = self._text.rfind(" ", self.start(least), self.start(most))
        if space >= 0 and least <= (index := self.index(space + 1)) <= most:
            return index
        for torn in (tears_word, tears_sign):
            for index in range(most, max(least, most - _FAR_BACK) - 1, -1):
                if not torn(self._text, self.start(index)):
                    return index
        return most

    def first_cut(self, least: int, most: int) -> int:
        """Return the first token of [least, most] that follows a space; else the first that tears no word apart."""
        space = self._text.find(" ", self.start(least), self.start(most))
        if space >= 0:
            return min(self.index(space + 1), most)
        near = range(least, min(most, least + _FAR_BACK))
        return next((index for index in near if not tears_word(self._text, self.start(index))), most)

    def span(self, first: int, after_last: int) -> Span | None:
        """Return tokens [first, after_last) as a span without outer white space; None when it is blank."""
        start, end = self.start(first) if first else 0, self.start(after_last)
        piece = self._text[start:end]
        stripped = piece.lstrip()
        if not stripped:
            return None
        start = end - len(stripped)
        return Span(start, start + len(stripped.rstrip()), after_last - first)


def tears_word(text: str, offset: int) -> bool:
    """Whether a cut at `offset` falls inside a word or sign: a tokeniser may read its halves otherwise than the whole."""
    if not 0 < offset < len(text):
        return False
    before, after = text[offset - 1], text[offset]
    if before.isspace() or after.isspace():
        return before == "\r" and after == "\n"
    return (before.isalnum() and after.isalnum() and not _is_ideograph(after)) or tears_sign(text, offset)


def read_otherwise(text: str, offset: int) -> bool:
    """Whether a tokeniser may read what stands on either side of `offset` otherwise alone than together.

    Signs that are not seen, such as soft hyphens, are dropped by it: what they part may be one word to it.
    """
    if not 0 < offset < len(text):
        return False
    return tears_word(text, offset) or _unseen(text[offset - 1]) or _unseen(text[offset])


def _unseen(character: str) -> bool:
    """Whether it is a control or format character, an accent of its own, or the sign for what could not be decoded."""
    if " " <= character <= "~" or character in "\t\n\r":
        return False
    return character == "\ufffd" or category(character) in _UNSEEN


def tears_sign(text: str, offset: int) -> bool:
    """Whether a cut at `offset` parts what is read as one sign: a letter and its accent, the people of an emoji."""
    if not 0 < offset < len(text):
        return False
    before, after = text[offset - 1], text[offset]
    if after.isascii():
        return before == "\r" and after == "\n"
    code = ord(after)
    if before in _JOINERS or after in _JOINERS or code in _MODIFIERS:
        return True
    if code in _FLAGS and ord(before) in _FLAGS:
        return _odd_flags(text, offset)
    return category(after).startswith("M")


def _odd_flags(text: str, offset: int) -> bool:
    start = offset
    while start > max(0, offset - _FAR_BACK) and ord(text[start - 1]) in _FLAGS:
        start -= 1
    return (offset - start) % 2 == 1


def _is_ideograph(character: str) -> bool:
    """Each of these is a token to every tokeniser that reads words; between two of them is no word's middle."""
    return "\u3400" <= character <= "\u9fff" or "\U00020000" <= character <= "\U0003ffff"


def _with_virtual_starts(starts: Indices, length: int) -> Indices:
    """Return the starts with more of them in every stretch that is longer than a token may be."""
    edges = np.concatenate([[0], starts, [length]])
    gaps = np.diff(edges)
    long = np.flatnonzero(gaps > MAX_TOKEN_CHARS)
    if not len(long):
        return starts
    extra = [np.arange(edges[gap] + MAX_TOKEN_CHARS, edges[gap + 1], MAX_TOKEN_CHARS) for gap in long]
    return np.unique(np.concatenate([starts, *extra]))
