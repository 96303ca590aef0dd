"""onnxruntime, set up for many short runs on few cores."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from knowlog.kernel.errors import Misconfigured

Vector = NDArray[np.float32]


class Session:
    """The network, ready to run; `vector` may be called from any number of threads at once.

    One run is one text on one thread. Measured on two cores: a batch of 16 is no faster than single texts
    from 64 tokens on (18 % at 16 tokens), texts in parallel beat threads inside a run, no text is padded, and
    the vector of a text does not depend on its neighbours, bit for bit.
    """

    def __init__(self, network: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # The network is fused already; the optimiser would join additions and norms into a slower operation.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(network), options, ["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises many kinds, all without a common base
            raise Misconfigured(f"onnxruntime cannot run the embedding model: {error}.") from error

    def vector(self, ids: Sequence[int]) -> Vector:
        """Return the vector of one text, float32 [384] of length 1, from its token ids."""
        vectors = self._session.run(["vectors"], {"ids": np.array([ids], np.int32)})[0]
        return cast("Vector", vectors[0])

    def tokens(self, ids: Sequence[int]) -> Vector:
        """Return what the network makes of each token of one text, float32 [tokens, 384], special tokens included."""
        hidden = self._session.run(["tokens"], {"ids": np.array([ids], np.int32)})[0]
        return cast("Vector", hidden[0])
