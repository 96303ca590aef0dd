"""Agreement of two readings of one file."""

import re
from collections import Counter

_WORD = re.compile(r"\w+")


def word_overlap(found: str, expected: str) -> float:
    """F1 of the two texts' words as bags, 0 to 1; case and order do not count.

    The token F1 of SQuAD (Rajpurkar et al., 2016) without its removal of articles. Two texts without words
    agree: 1.
    """
    left, right = (Counter(word.lower() for word in _WORD.findall(text)) for text in (found, expected))
    total = left.total() + right.total()
    return 2 * (left & right).total() / total if total else 1.0
