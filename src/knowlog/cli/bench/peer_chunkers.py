"""Chunkers of others, with the tokenizer that knowlog's own model counts with. Each is imported when it is measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from knowlog.embedding import bert_tokenizer


@dataclass(frozen=True, slots=True)
class Peer:
    """A chunker of others, as a function from text to texts."""

    cut: Callable[[str], Sequence[str]]


def chonkie(size_tokens: int) -> Peer:
    """Chonkie's RecursiveChunker. Raises ImportError where it is not installed."""
    from chonkie import RecursiveChunker

    tokenizer: Any = bert_tokenizer()  # taken, though its types do not say so
    chunker = RecursiveChunker(tokenizer=tokenizer, chunk_size=size_tokens)
    return Peer(lambda text: [each.text for each in chunker.chunk(text)])


def semantic_text_splitter(size_tokens: int) -> Peer:
    """semantic-text-splitter, which is written in Rust. Raises ImportError where it is not installed."""
    from semantic_text_splitter import TextSplitter

    splitter = TextSplitter.from_huggingface_tokenizer(bert_tokenizer(), size_tokens)
    return Peer(splitter.chunks)


def langchain(size_tokens: int) -> Peer:
    """LangChain's RecursiveCharacterTextSplitter, its length in tokens. Raises ImportError where it is not installed."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    tokenizer = bert_tokenizer()
    splitter = RecursiveCharacterTextSplitter(
        chunk_size=size_tokens,
        chunk_overlap=0,
        length_function=lambda text: len(tokenizer.encode(text, add_special_tokens=False)),
    )
    return Peer(splitter.split_text)


PEERS: dict[str, Callable[[int], Peer]] = {
    "chonkie": chonkie,
    "semantic_text_splitter": semantic_text_splitter,
    "langchain": langchain,
}
