"""Text to lexemes, and lexemes to the numbers that the index knows.

A lexeme is a lower-case word stem without accents. Scripts with spaces between words give one for each
word, the others (Chinese, Japanese, Korean, Thai ...) one for each pair of neighbouring characters. Words
joined by a mark and holding a digit (`KL-2041`, `v1.2.3`) give the whole beside their parts. One or two letters
written together with a year (`FY2018`) are read as if a space were between them, as others write it. Reading is
linear in the length of the text, whatever is in it.
"""

import re
import unicodedata
from functools import lru_cache
from uuid import UUID
from zlib import crc32

import Stemmer

DIMENSIONS = 1_000_000_000
"""Terms are 1 ... DIMENSIONS: the most dimensions that pgvector's sparsevec has."""

_LONGEST_WORD = 64
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_MARKS = "\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0dff"  # vowel signs, which \w leaves out
_LETTER = f"(?:[^\\W_{_UNSPACED}]|[{_MARKS}])"
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?(?:[-_./:][a-z0-9]+)*")
_WORD = re.compile(f"[{_UNSPACED}]+|{_LETTER}+(?:'{_LETTER}+)?(?:[-_./:]{_LETTER}+)*")
_JOINED = re.compile("[-_./:]")
_DIGIT = re.compile(r"\d")
_LETTERS_AND_YEAR = re.compile(r"([a-z]{1,2})((?:19|20)\d\d)")
_UNSPACED_START = re.compile(f"[{_UNSPACED}]")
_ACCENTS = dict.fromkeys(range(0x300, 0x370)) | {ord("’"): "'", 0xAD: None, 0x200B: None}

# English words that say nothing about what a text is about.
_STOP_WORDS = frozenset(
    """
    a about above after again against all am an and any are as at be because been before being below
    between both but by can did do does doing down during each few for from further had has have having
    he her here hers herself him himself his how i if in into is it its itself just me more most my
    myself no nor not now of off on once only or other our ours ourselves out over own same she should
    so some such than that the their theirs them themselves then there these they this those through to
    too under until up very was we were what when where which while who whom why will with you your
    yours yourself yourselves
    """.split()  # noqa: SIM905 - a list of words reads better without quotes
)
_stemmer = Stemmer.Stemmer("english", 0)


def lexemes(text: str) -> list[str]:
    """Return the lexemes of a text in their order, repeated as often as they occur, without stop words."""
    words = _ASCII_WORD.findall(text.lower()) if text.isascii() else _WORD.findall(_folded(text))
    found: list[str] = []
    for word in words:
        found += _lexemes_of(word) if len(word) <= _LONGEST_WORD else _lexemes_of.__wrapped__(word)
    return found


def salt(collection_id: UUID) -> int:
    """Return the number that makes the terms of one collection differ from those of all others."""
    return crc32(collection_id.bytes)


def term(lexeme: str, collection_salt: int) -> int:
    """Return the number, 1 ... DIMENSIONS, by which the index knows a lexeme of a collection."""
    return crc32(lexeme.encode(), collection_salt) % DIMENSIONS + 1


def _folded(text: str) -> str:
    bare = unicodedata.normalize("NFKD", text).translate(_ACCENTS)
    return unicodedata.normalize("NFC", bare).casefold()


@lru_cache(maxsize=200_000)
def _lexemes_of(word: str) -> tuple[str, ...]:
    """The lexemes of one word, as the patterns above find it; the cache is what makes reading fast."""
    if _UNSPACED_START.match(word):
        return tuple(word[i : i + 2] for i in range(max(1, len(word) - 1)))
    if apart := _LETTERS_AND_YEAR.fullmatch(word):
        return tuple(part for part in apart.groups() if part not in _STOP_WORDS)
    parts = _JOINED.split(word)
    found = [_stemmer.stemWord(part[:_LONGEST_WORD]) for part in parts if part not in _STOP_WORDS]
    if len(parts) > 1 and _DIGIT.search(word):
        found.append(word[:_LONGEST_WORD])
    return tuple(found)
