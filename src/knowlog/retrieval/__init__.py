"""Retrieval: question to passages."""

from knowlog.retrieval.model import Leg, Passage, QueryStatistics

__all__ = ["Leg", "Passage", "QueryStatistics"]
