"""BERT's uncased word pieces (Devlin et al. 2018, https://arxiv.org/abs/1810.04805), with their offsets.

The vocabulary is google-research/bert's `vocab.txt` of bert-base-uncased, byte for byte.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import BertProcessing

LONGEST_WORD = 100  # characters; BERT reads a longer word as one unknown token
PIECE = 4096  # characters of a long text that are tokenised together: small pieces are fastest
BATCH = 64  # pieces at once, so that a text of 50 MB never has all its tokens in memory as objects

_UNKNOWN = "[UNK]"
_SURROGATE = re.compile("[\ud800-\udfff]")
_LAST_SPACE = re.compile(r"\s(?=\S*\Z)")


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
    parts = [_starts(batch) for batch in _batches(readable(text))]
    return np.concatenate(parts) if parts else np.empty(0, np.int32)


def _batches(text: str) -> Iterator[list[tuple[int, str]]]:
    batch: list[tuple[int, str]] = []
    for piece in _pieces(text):
        batch.append(piece)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Cut the text into pieces after white space, or anywhere where there is none for PIECE characters."""
    start = 0
    while start < len(text):
        piece = text[start : start + PIECE]
        if start + PIECE < len(text) and (space := _LAST_SPACE.search(piece, PIECE - 2 * LONGEST_WORD)):
            piece = piece[: space.end()]
        yield start, piece
        start += len(piece)


def _starts(batch: list[tuple[int, str]]) -> NDArray[np.int32]:
    encodings = wordpiece().encode_batch([piece for _, piece in batch], add_special_tokens=False)
    starts = [
        np.fromiter((begin for begin, _ in encoding.offsets), np.int32, count=len(encoding)) + np.int32(start)
        for (start, _), encoding in zip(batch, encodings, strict=True)
    ]
    return np.concatenate(starts)
