"""Chunks and vectors in, hits out: the lexical index, and the port of vector stores."""

from knowlog.stores.actions import index_chunks, remove_chunks
from knowlog.stores.filters import Filter, both, parse_filter
from knowlog.stores.lexical import lexical_scores, lexical_search
from knowlog.stores.model import (
    ChunkRow,
    DocumentChunks,
    Hit,
    LexicalQuery,
    VectorQuery,
    VectorRow,
    Vectors,
    searchable_text,
)
from knowlog.stores.near_index import LARGE, graduate_large_collections
from knowlog.stores.port import VectorStore
from knowlog.stores.registry import open_shared_store, open_store
from knowlog.stores.scoring import score_texts
from knowlog.stores.settings import StoresSettings
from knowlog.stores.statistics import (
    TermStatistics,
    WeighedTerm,
    fold_statistics,
    term_statistics,
    weigh_terms,
)
from knowlog.stores.terms import lexemes

__all__ = [
    "LARGE",
    "ChunkRow",
    "DocumentChunks",
    "Filter",
    "Hit",
    "LexicalQuery",
    "StoresSettings",
    "TermStatistics",
    "VectorQuery",
    "VectorRow",
    "VectorStore",
    "Vectors",
    "WeighedTerm",
    "both",
    "fold_statistics",
    "graduate_large_collections",
    "index_chunks",
    "lexemes",
    "lexical_scores",
    "lexical_search",
    "open_shared_store",
    "open_store",
    "parse_filter",
    "remove_chunks",
    "score_texts",
    "searchable_text",
    "term_statistics",
    "weigh_terms",
]
