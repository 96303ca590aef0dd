"""Embedding: text to vectors. A port, the model that works offline, and adapters to others."""

from knowlog.embedding.model import EmbeddingProfile
from knowlog.embedding.models import Models, OpenModel, no_other
from knowlog.embedding.port import Embedder
from knowlog.embedding.registry import open_embedder
from knowlog.embedding.settings import EmbeddingSettings
from knowlog.embedding.tokens import ReadTokens, TokenEmbedder, TokenVectors, max_sim
from knowlog.embedding.wordpiece import token_ids, token_offsets
from knowlog.embedding.wordpiece import wordpiece as bert_tokenizer

__all__ = [
    "Embedder",
    "EmbeddingProfile",
    "EmbeddingSettings",
    "Models",
    "OpenModel",
    "ReadTokens",
    "TokenEmbedder",
    "TokenVectors",
    "bert_tokenizer",
    "max_sim",
    "no_other",
    "open_embedder",
    "token_ids",
    "token_offsets",
]
