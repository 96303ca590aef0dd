"""The fused int8 network: the same function as the published file's, in few large operations.

A product quantises its input while it runs (one scale a text) and multiplies int8 by int8. Attention is one
operation; GELU is its tanh form (differs from the exact one by less than 5e-4). Layer normalisation stays
apart from the addition before it, because onnxruntime's fused pair takes five times as long on a CPU as the
two; keep its optimiser from joining them.

There is no attention mask: every text runs by itself at its own length. Mean pooling is a sum, since the
vector is brought to length 1 afterwards.
"""

from typing import Any, Literal

import numpy as np

from knowlog.embedding.adapters.bert.weights import Layer, Matrix, Norm, Weights

RECIPE = "1"
"""Raise it when the network changes: vectors made before are then of another profile."""

DIMENSIONS = 384
POSITIONS = 512
_HEADS = 12
_FUSED = "com.microsoft"


Pooling = Literal["mean", "first"]
"""What a text's vector is: the mean of its tokens' vectors, or that of the mark before them."""


def build_network(weights: Weights, name: str, pooling: Pooling = "mean") -> bytes:
    """Return the network as an ONNX file: `ids` int32 [n, tokens] to unit `vectors` float32 [n, 384].

    `tokens` [n, tokens, 384] are what the vectors are pooled of.
    """
    from onnx import TensorProto, helper

    graph = _Graph()
    hidden = _embedded(graph, weights)
    for layer in weights.layers:
        hidden = _transformed(graph, hidden, layer)
    vectors = graph.add("LpNormalization", _pooled(graph, hidden, pooling), axis=-1, p=2)
    graph.nodes.append(helper.make_node("Identity", [vectors], ["vectors"]))
    graph.nodes.append(helper.make_node("Identity", [hidden], ["tokens"]))
    made = helper.make_graph(
        graph.nodes,
        name,
        [helper.make_tensor_value_info("ids", TensorProto.INT32, ["texts", "tokens"])],
        [
            helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", DIMENSIONS]),
            helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["texts", "tokens", DIMENSIONS]),
        ],
        graph.initializers,
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(_FUSED, 1)]
    content: bytes = helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString(
        deterministic=True
    )
    return content


class _Graph:
    """Nodes and constants in the making; every value gets the next number as its name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._count = 0

    def constant(self, values: Any) -> str:
        from onnx import numpy_helper

        name = self._name()
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, operation: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        return self.add_many(operation, 1, *inputs, domain=domain, **attributes)[0]

    def add_many(
        self, operation: str, outputs: int, *inputs: str, domain: str = "", **attributes: Any
    ) -> list[str]:
        from onnx import helper

        names = [self._name() for _ in range(outputs)]
        self.nodes.append(helper.make_node(operation, list(inputs), names, domain=domain, **attributes))
        return names

    def _name(self) -> str:
        self._count += 1
        return str(self._count)


def _embedded(graph: _Graph, weights: Weights) -> str:
    """Sum of word and position. Words stay int8, and only the rows that are looked up become float32."""
    from onnx import TensorProto

    rows = graph.add("Cast", graph.add("Gather", graph.constant(weights.words), "ids"), to=TensorProto.FLOAT)
    words = graph.add("Mul", rows, graph.add("Gather", graph.constant(weights.word_scales), "ids"))
    zero = graph.constant(np.array([0]))
    length = graph.add("Shape", "ids", start=1, end=2)
    positions = graph.add("Slice", graph.constant(weights.positions), zero, length, zero)
    return _normalised(graph, graph.add("Add", words, positions), weights.norm)


def _pooled(graph: _Graph, hidden: str, pooling: Pooling) -> str:
    if pooling == "first":
        hidden = graph.add("Gather", hidden, graph.constant(np.array([0])), axis=1)
    return graph.add("ReduceSum", hidden, graph.constant(np.array([1])), keepdims=0)


def _transformed(graph: _Graph, hidden: str, layer: Layer) -> str:
    attended = _product(graph, _attention(graph, hidden, layer), layer.joined)
    middle = _normalised(graph, graph.add("Add", attended, hidden), layer.joined_norm)
    widened = graph.add("Gelu", _product(graph, middle, layer.widened), approximate="tanh")
    narrowed = _product(graph, widened, layer.narrowed)
    return _normalised(graph, graph.add("Add", narrowed, middle), layer.narrowed_norm)


def _attention(graph: _Graph, hidden: str, layer: Layer) -> str:
    q, scale, zero = graph.add_many("DynamicQuantizeLinear", 3, hidden)
    projected = []
    for matrix in (layer.query, layer.key, layer.value):
        weights, scales, bias = map(graph.constant, (matrix.q, matrix.scale, matrix.bias))
        inputs = (q, weights, scale, scales, zero, "", bias)
        projected.append(graph.add("MatMulIntegerToFloat", *inputs, domain=_FUSED))
    return graph.add("MultiHeadAttention", *projected, domain=_FUSED, num_heads=_HEADS)


def _product(graph: _Graph, values: str, matrix: Matrix) -> str:
    constants = [graph.constant(matrix.q), graph.constant(matrix.scale), "", graph.constant(matrix.bias)]
    return graph.add("DynamicQuantizeMatMul", values, *constants, domain=_FUSED)


def _normalised(graph: _Graph, values: str, norm: Norm) -> str:
    constants = [graph.constant(norm.scale), graph.constant(norm.bias)]
    return graph.add("LayerNormalization", values, *constants, axis=-1, epsilon=1e-12)
