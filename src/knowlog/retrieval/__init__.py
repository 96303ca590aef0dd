"""Retrieval: question to passages."""

from knowlog.retrieval.model import Leg, Passage

__all__ = ["Leg", "Passage"]
