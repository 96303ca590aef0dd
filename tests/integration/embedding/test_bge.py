"""bge: the fused network against the one in the jar, and a jar that is not there."""

from pathlib import Path
from shutil import copy
from zipfile import ZipFile

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from bge_jar import bge_jar
from knowlog.embedding import Embedder, EmbeddingSettings, TokenEmbedder, open_embedder
from knowlog.embedding.adapters.bge.weights import ARTIFACT, kept_by_maven, read_weights
from knowlog.embedding.wordpiece import token_ids
from knowlog.kernel.errors import Misconfigured

TEXTS = ["A cat sleeps on the warm roof.", "Invoices are due within thirty days.", "word " * 300, ""]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def embedder(data_dir: Path) -> Embedder:
    """The model, its network made of the jar."""
    return open_embedder(EmbeddingSettings(model="bge", file=bge_jar()), data_dir)


@pytest.fixture(scope="module")
def published() -> onnxruntime.InferenceSession:
    """The jar's own network."""
    with ZipFile(bge_jar()) as package:
        content = package.read("bge-small-en-v1.5-q.onnx")
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def published_vector(session: onnxruntime.InferenceSession, text: str) -> NDArray[np.float32]:
    """What the model's authors take for the vector of a text: that of its first token."""
    ids = np.array(token_ids([text], 512), np.int64)
    given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    first = session.run(None, given)[0][0][0]
    return first / np.linalg.norm(first)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:10])
async def test_vectors_are_those_of_the_jar(
    embedder: Embedder, published: onnxruntime.InferenceSession, text: str
) -> None:
    """Fusing and int8 products keep the direction."""
    assert (await embedder.embed_documents([text]))[0] @ published_vector(published, text) > 0.98


async def test_a_question_is_asked_as_the_model_was_taught(embedder: Embedder) -> None:
    """What goes before it is the model's own sentence, and nothing goes before a document."""
    taught = "Represent this sentence for searching relevant passages: Where do cats sleep?"
    asked = await embedder.embed_query("Where do cats sleep?")
    as_taught, plain = await embedder.embed_documents([taught, "Where do cats sleep?"])
    assert np.array_equal(asked, as_taught)
    assert not np.allclose(asked, plain, atol=0.01)


def test_it_shows_no_tokens(embedder: Embedder) -> None:
    """The directions in which tokens are kept are MiniLM's."""
    assert not isinstance(embedder, TokenEmbedder)


async def test_the_jar_is_needed_once(embedder: Embedder, data_dir: Path) -> None:
    """What was made of it is kept, so that vectors made before can be searched when another model is set."""
    again = open_embedder(EmbeddingSettings(model="bge"), data_dir)
    assert again.profile == embedder.profile
    assert np.array_equal(await again.embed_query("cat"), await embedder.embed_query("cat"))
    await again.close()


def test_the_jar_that_maven_has_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has fetched it need not name it; without one, nothing is named."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kept_by_maven() is None
    group, name, version = ARTIFACT.split(":")
    jar = tmp_path.joinpath(".m2", "repository", *group.split("."), name, version, f"{name}-{version}.jar")
    jar.parent.mkdir(parents=True)
    copy(bge_jar(), jar)
    assert kept_by_maven() == jar
    assert len(read_weights(None).layers) == 12


async def test_a_cosine_of_the_pair_is_between_those_of_its_models(
    embedder: Embedder, data_dir: Path
) -> None:
    """It counts MiniLM's for a third, since that differs more from text to text."""
    minilm, pair = (open_embedder(EmbeddingSettings(model=name), data_dir) for name in ("minilm", "pair"))
    one, other, both = [
        (await each.embed_documents(TEXTS[:2])) @ await each.embed_query("Where do cats sleep?")
        for each in (minilm, embedder, pair)
    ]
    assert both == pytest.approx(one / 3 + other * 2 / 3, abs=1e-5)
    await minilm.close()
    await pair.close()


@pytest.mark.parametrize("content", [None, b"no jar", "another jar", "an altered network"])
def test_a_wrong_jar_is_said_and_leaves_nothing(
    tmp_path: Path, content: str | bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence names the file and the command that brings the right one."""
    monkeypatch.setenv("HOME", str(tmp_path))
    jar = tmp_path / "bge.jar"
    if isinstance(content, bytes):
        jar.write_bytes(content)
    elif content:
        with ZipFile(jar, "w") as package:
            package.writestr("readme" if content == "another jar" else "bge-small-en-v1.5-q.onnx", "nothing")
    with pytest.raises(Misconfigured, match=r"bge\.jar.*mvn dependency:copy"):
        open_embedder(EmbeddingSettings(model="bge", file=jar), tmp_path / "data")
    assert not (tmp_path / "data").exists()
