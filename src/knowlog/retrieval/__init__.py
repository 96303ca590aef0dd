"""Retrieval: question to passages."""

from knowlog.retrieval.actions import Search, retrieve, retrieve_resolved
from knowlog.retrieval.model import Leg, Passage, Retrieved
from knowlog.retrieval.port import Reranker
from knowlog.retrieval.settings import RetrievalProfile

__all__ = [
    "Leg",
    "Passage",
    "Reranker",
    "RetrievalProfile",
    "Retrieved",
    "Search",
    "retrieve",
    "retrieve_resolved",
]
