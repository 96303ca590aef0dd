"""bge-small-en-v1.5 on this machine's CPU, without a network connection."""

from pathlib import Path

from knowlog.embedding.adapters.bert.embedder import BertEmbedder, profile_of, threads_of
from knowlog.embedding.adapters.bert.network import build_network
from knowlog.embedding.adapters.bert.session import Session
from knowlog.embedding.adapters.bert.store import identity, kept_network
from knowlog.embedding.adapters.bge.weights import SHA256, read_weights
from knowlog.embedding.settings import EmbeddingSettings

_IDENTITY = identity(SHA256)
_BEFORE_QUESTIONS = "Represent this sentence for searching relevant passages: "
"""What the model was taught to see before a question (Xiao et al. 2023, https://arxiv.org/abs/2309.07597)."""


def open_bge(settings: EmbeddingSettings, data_dir: Path) -> BertEmbedder:
    """Open the model; its network is made in `data_dir` at the first call, and the file is not needed again.

    Raises Misconfigured.
    """
    profile = profile_of(settings, _IDENTITY)
    network = kept_network(
        data_dir, f"bge-{_IDENTITY}", lambda: build_network(read_weights(settings.file), "bge", "first")
    )
    return BertEmbedder(Session(network), profile, threads_of(settings), _BEFORE_QUESTIONS)
