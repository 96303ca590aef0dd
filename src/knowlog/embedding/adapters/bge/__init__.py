"""bge-small-en-v1.5, offline: weights from a file that the operator fetches once."""

from knowlog.embedding.adapters.bge.embedder import open_bge

__all__ = ["open_bge"]
