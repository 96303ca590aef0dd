"""The directions in which the model's token vectors differ most: a third of their length holds what tells them apart.

`directions.npy` holds the first principal components, float16 [384, 128], of the token vectors of CISI's abstracts.
"""

from functools import cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray


def projected(tokens: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return token vectors of length 1, shape [tokens, 384], in the directions that matter: [tokens, 128]."""
    lengths = np.linalg.norm(tokens, axis=1, keepdims=True)
    return np.asarray(tokens / np.maximum(lengths, 1e-6) @ _directions())


@cache
def _directions() -> NDArray[np.float32]:
    with as_file(files("knowlog.embedding.adapters.minilm") / "directions.npy") as path:
        return np.asarray(np.load(path), np.float32)
