"""The nouns of the stores: what is written for a document, what is asked of an index, what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from knowlog.documents import PageStart, Section
from knowlog.stores.filters import Filter

Vectors = NDArray[np.float32]
"""Rows of unit length, shape [n, dimensions]."""


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A chunk to be stored: `text` is `version_text[start:end]`; `ordinal` counts from 0 in its version.

    `page` and `headings` are where it begins, `page_starts` are all pages that it touches, `sections` begin inside it.
    `context` is searched with it and is no part of it. `parent_ordinal` is that of the larger chunk around it; of one
    that has chunks within, its own.
    """

    ordinal: int
    start: int
    end: int
    text: str
    page: int | None = None
    headings: tuple[str, ...] = ()
    page_starts: tuple[PageStart, ...] = ()
    sections: tuple[Section, ...] = ()
    context: tuple[str, ...] = ()
    token_count: int | None = None
    parent_ordinal: int | None = None

    @property
    def above(self) -> tuple[str, ...]:
        """What it is searched under besides the title: headings, then context."""
        return (*self.headings, *self.context)


@dataclass(frozen=True, slots=True)
class DocumentChunks:
    """All chunks of one version of a document, with what external stores must know of the document.

    `collection_id` names the index that they are of: the first one of a collection has the collection's id.
    """

    collection_id: UUID
    document_id: UUID
    version: int
    title: str
    chunks: Sequence[ChunkRow]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def searchable_texts(self) -> list[str]:
        """Return what is embedded and indexed for each chunk: see `searchable_text`."""
        return [searchable_text(self.title, chunk.above, chunk.text) for chunk in self.chunks]


def searchable_text(title: str, headings: Sequence[str], text: str) -> str:
    """Return the text of a chunk under its title and headings, except those that it opens with itself.

    This is what is embedded and what lexemes are taken from; spans and quotes never contain it.
    """
    opening = text[:400]
    context = [line for line in dict.fromkeys((title, *headings)) if line and line not in opening]
    return "\n".join((*context, text))


@dataclass(frozen=True, slots=True)
class VectorRow:
    """Whose vector it is, and what identifies the text that it was made from."""

    chunk_id: int
    collection_id: UUID
    document_id: UUID
    content_hash: UUID
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VectorQuery:
    """The `most` chunks nearest to `vector` in `collections`, among vectors made with `embedding_key`.

    `filter` narrows the chunks before they are ranked. `exact` asks for a full scan where the store could
    answer from an approximate index. `enough`: so many will do where an approximate index must pass over others, because
    of a filter or of what the caller may not see; None: as many as `most`.
    """

    collections: tuple[UUID, ...]
    embedding_key: str
    vector: NDArray[np.float32]
    most: int
    filter: Filter | None = None
    exact: bool = False
    enough: int | None = None


class Hit(NamedTuple):
    """A chunk found, and its score: cosine similarity from a vector store, BM25 from the lexical index."""

    chunk_id: int
    score: float


@dataclass(frozen=True, slots=True)
class LexicalQuery:
    """The `most` chunks of `collections` with the highest BM25 score; of what, TermStatistics say.

    With `prune` off, every chunk that holds any lexeme of the question is scored.
    """

    collections: tuple[UUID, ...]
    most: int
    filter: Filter | None = None
    prune: bool = True
