"""The scene of these tests: passages of documents, and an embedder that counts shared words."""

from types import SimpleNamespace
from uuid import UUID
from zlib import crc32

import numpy as np
import pytest

from knowlog.retrieval import Passage
from knowlog.stores import lexemes


class WordEmbedder:
    """Hashes lexemes into 512 dimensions: texts that share words are close."""

    profile = SimpleNamespace(name="words", dimensions=512, window_tokens=512, key="words")

    async def embed_documents(self, texts):
        """Return one row for each text."""
        return np.stack([_vector(text) for text in texts])

    async def embed_query(self, text):
        """Return the vector of one text."""
        return _vector(text)


@pytest.fixture(scope="session")
def embedder():
    """Return an embedder for which texts with the same words are close."""
    return WordEmbedder()


@pytest.fixture(scope="session")
def passage():
    """Return the maker of passages."""
    return make_passage


def make_passage(text, *, document=1, start=0, title="Handbook", headings=(), score=1.0, lead=""):
    """Return a passage of a document whose text holds it at `start`."""
    return Passage(
        document_id=UUID(int=document),
        version=1,
        collection="company",
        external_id=f"{document}.md",
        title=title,
        start=start,
        end=start + len(text),
        text=text,
        page=None,
        headings=headings,
        metadata={},
        score=score,
        lead=lead,
    )


def _vector(text):
    vector = np.zeros(512, dtype=np.float32)
    for lexeme in lexemes(text):
        vector[crc32(lexeme.encode()) % 512] += 1
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
