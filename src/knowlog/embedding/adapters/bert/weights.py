"""The weights of a model of BERT's form, and how published ONNX files of them are read.

Matrices are int8 with one scale for each column, everything else is float32.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PLACES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "joined": "attention.output.dense",
    "widened": "intermediate.dense",
    "narrowed": "output.dense",
}
"""Each matrix of a layer, in the files' order, and where its bias is."""

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
    """A transformer block: attention, then two maps with GELU between them; a norm after each."""

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


def read_initializers(content: bytes) -> Arrays:
    """Return the constants of an ONNX file by name, in its order."""
    import onnx  # half a second, needed only when the network is made

    graph = onnx.load_from_string(content).graph
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}


def read_layers(found: Arrays, place: str, matrices: Sequence[str], quantised: str) -> tuple[Layer, ...]:
    """Return the layers, whose parts are under `place`. `matrices` are the names of all of them, layer by layer, and
    `quantised` is what the names of their int8 values end in.
    """
    each = len(_PLACES)
    return tuple(
        _layer(found, f"{place}{number}.", matrices[each * number : each * (number + 1)], quantised)
        for number in range(len(matrices) // each)
    )


def _layer(found: Arrays, at: str, names: Sequence[str], quantised: str) -> Layer:
    matrices = {
        role: _matrix(found, name, quantised, f"{at}{place}.bias")
        for (role, place), name in zip(_PLACES.items(), names, strict=True)
    }
    return Layer(
        **matrices,
        joined_norm=read_norm(found, f"{at}attention.output.LayerNorm"),
        narrowed_norm=read_norm(found, f"{at}output.LayerNorm"),
    )


def _matrix(found: Arrays, name: str, quantised: str, bias: str) -> Matrix:
    scale = floats(found[f"{name}_scale"]).reshape(-1)
    return Matrix(found[f"{name}{quantised}"].astype(np.int8), scale, floats(found[bias]))


def read_norm(found: Arrays, name: str) -> Norm:
    """Return the layer normalisation of that name."""
    return Norm(floats(found[f"{name}.weight"]), floats(found[f"{name}.bias"]))


def floats(values: NDArray[Any]) -> Floats:
    """Return values as float32."""
    return values.astype(np.float32)
