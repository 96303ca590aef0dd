"""Retrieval: question to passages."""

from knowlog.retrieval.actions import retrieve, retrieve_resolved
from knowlog.retrieval.fusion import fuse
from knowlog.retrieval.injection import injection_score, is_flagged
from knowlog.retrieval.model import Leg, Passage, Retrieved, Search, Step
from knowlog.retrieval.patterns import all_patterns, open_pattern, require_pattern
from knowlog.retrieval.port import Reranker, Writer, Written
from knowlog.retrieval.settings import PatternName, RetrievalProfile
from knowlog.retrieval.standalone import apart
from knowlog.retrieval.writing import LazyWriter, ProviderWriter

__all__ = [
    "LazyWriter",
    "Leg",
    "Passage",
    "PatternName",
    "ProviderWriter",
    "Reranker",
    "RetrievalProfile",
    "Retrieved",
    "Search",
    "Step",
    "Writer",
    "Written",
    "all_patterns",
    "apart",
    "fuse",
    "injection_score",
    "is_flagged",
    "open_pattern",
    "require_pattern",
    "retrieve",
    "retrieve_resolved",
]
