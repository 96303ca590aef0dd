"""BERT's uncased word pieces (Devlin et al. 2018, https://arxiv.org/abs/1810.04805), with their offsets.

The vocabulary is google-research/bert's `vocab.txt` of bert-base-uncased, byte for byte.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.resources import as_file, files
from itertools import chain
from string import ascii_lowercase, digits, punctuation

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import BertProcessing

LONGEST_WORD = 100  # characters; BERT reads a longer word as one unknown token
PIECE = 1024  # characters of a long text that are tokenised together

_UNKNOWN = "[UNK]"
_SURROGATE = re.compile("[\ud800-\udfff]")
_LAST_SPACE = re.compile(r"\s(?=\S*\Z)")
_CONTROL = re.compile(r"[^ -~\t\n\r]")
_ODD_WORD = re.compile(r"[^ \t\n\r]*[^ -~\t\n\r][^ \t\n\r]*")

_WORD, _MARK = 1, 2
_KINDS = np.zeros(128, np.uint8)  # of ASCII characters; 0 is white space
_KINDS[[ord(character) for character in ascii_lowercase + digits]] = _WORD
_KINDS[[ord(character) for character in punctuation]] = _MARK
_MARKS_AWAY = str.maketrans(dict.fromkeys(punctuation, " "))


@cache
def wordpiece() -> Tokenizer:
    """The tokenizer, read once per process. Never change it: it is shared; truncate its ids instead."""
    with as_file(files("knowlog.embedding") / "vocabulary" / "bert-base-uncased.txt") as path:
        vocabulary = WordPiece.read_file(str(path))
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token=_UNKNOWN, max_input_chars_per_word=LONGEST_WORD))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    return tokenizer


def readable(text: str) -> str:
    """Replace lone surrogates, which are no characters, one for one."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def token_ids(texts: Sequence[str], window_tokens: int) -> list[list[int]]:
    """Return the ids of each text with [CLS] and [SEP], cut to the window.

    Of a long text only the beginning is read, long enough for a window full of the longest known words.
    """
    enough = window_tokens * (LONGEST_WORD + 1)
    encodings = wordpiece().encode_batch_fast([readable(text[:enough]) for text in texts])
    return [_cut(encoding.ids, window_tokens) for encoding in encodings]


def _cut(ids: list[int], window_tokens: int) -> list[int]:
    return ids if len(ids) <= window_tokens else [*ids[: window_tokens - 1], ids[-1]]


def token_offsets(text: str) -> NDArray[np.int32]:
    """Return the code point at which each token starts, ascending, without special tokens.

    A word without end, such as base64, is cut into pieces of PIECE characters, each one unknown token.
    """
    parts = [_piece_offsets(piece) + np.int32(start) for start, piece in _pieces(readable(text))]
    return np.concatenate(parts) if parts else np.empty(0, np.int32)


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Cut the text into pieces after white space, or anywhere where there is none for PIECE characters."""
    start = 0
    while start < len(text):
        piece = text[start : start + PIECE]
        if start + PIECE < len(text) and (space := _LAST_SPACE.search(piece, PIECE - 2 * LONGEST_WORD)):
            piece = piece[: space.end()]
        yield start, piece
        start += len(piece)


def _piece_offsets(piece: str) -> NDArray[np.int32]:
    if not piece.isascii() or _CONTROL.search(piece):
        return _mixed_offsets(piece)
    return _plain_offsets(piece.lower())


def _mixed_offsets(piece: str) -> NDArray[np.int32]:
    """The words with unusual characters one by one, unless they are most of it, and what is around them the short way."""
    odd = [word.span() for word in _ODD_WORD.finditer(piece)]
    if sum(end - start for start, end in odd) * 2 > len(piece):
        (encoding,) = wordpiece().encode_batch([piece], add_special_tokens=False)
        return np.fromiter((start for start, _ in encoding.offsets), np.int32, count=len(encoding))
    plain, starts = piece, []
    for start, end in odd:
        plain = plain[:start] + " " * (end - start) + plain[end:]
        starts += [start + own for own in _starts(piece[start:end])]
    return np.sort(np.concatenate([_plain_offsets(plain.lower()), np.array(starts, np.int32)]))


def _plain_offsets(plain: str) -> NDArray[np.int32]:
    """Tokenise lower-case ASCII without control characters: the same starts, several times as fast.

    A mark is a token. A word is what lies between marks and white space; most words are one token, and how the
    others are divided is remembered.
    """
    kinds = _KINDS[np.frombuffer(plain.encode("ascii"), np.uint8)]
    in_word = kinds == _WORD
    word_starts = np.flatnonzero(in_word & ~np.concatenate([[False], in_word[:-1]]))
    within = [_later_starts(word[: LONGEST_WORD + 1]) for word in plain.translate(_MARKS_AWAY).split()]
    counts = np.fromiter(map(len, within), np.intp, count=len(within))
    later = np.fromiter(chain.from_iterable(within), np.intp, count=counts.sum())
    starts = [word_starts, np.flatnonzero(kinds == _MARK), np.repeat(word_starts, counts) + later]
    return np.sort(np.concatenate(starts)).astype(np.int32)


@lru_cache(maxsize=1 << 13)
def _starts(word: str) -> tuple[int, ...]:
    """Return where the tokens of a word start in it."""
    return tuple(start for start, _ in wordpiece().encode(word, add_special_tokens=False).offsets)


@lru_cache(maxsize=1 << 15)
def _later_starts(word: str) -> tuple[int, ...]:
    """Return where the second and further tokens of a word start in it."""
    return tuple(start for start, _ in wordpiece().encode(word, add_special_tokens=False).offsets[1:])
