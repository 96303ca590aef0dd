"""An answer to its claims: one a sentence, list item or line, with exact offsets."""

import re
from collections.abc import Iterator

import sentencex

from knowlog.faithfulness.model import Claim

_LINE = re.compile(r"[^\n]+")
_SAYS_SOMETHING = re.compile(r"[^\W_]")


def split_claims(answer: str) -> list[Claim]:
    """Split an answer into its claims, in reading order. What holds no letter and no digit claims nothing."""
    return [Claim(answer[start:end], start, end) for start, end in sentence_spans(answer)]


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of the text's sentences, without outer white space; none runs over the end of a line."""
    for line in _LINE.finditer(text):
        position = line.start()
        for piece in sentencex.segment("en", line.group()):
            if not text.startswith(piece, position):  # the splitter changed a character: keep the rest whole
                break
            yield from _stripped(text, position, position + len(piece))
            position += len(piece)
        yield from _stripped(text, position, line.end())


def _stripped(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    if _SAYS_SOMETHING.search(piece):
        yield start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
