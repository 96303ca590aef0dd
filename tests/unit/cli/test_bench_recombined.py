"""The corpus of recombined sentences, and the endpoint that embeds it."""

import asyncio
from pathlib import Path

import numpy as np

from knowlog.cli.bench.recombined import MeanVectors, recombined, sentence_pool, serve
from knowlog.embedding import EmbeddingSettings, open_embedder
from knowlog.evaluation import BeirDataset, BeirText

SENTENCES = [
    "Cells divide when they are told to.",
    "Mice were given water every day.",
    "Nothing else was seen here.",
]
VECTORS = np.eye(8, dtype=np.float32)[:3]
DATASET = BeirDataset(
    "d", (BeirText("1", "t", " ".join(SENTENCES) + " Short. No end of a sentence here"),), {}, {}
)


def test_pool_holds_whole_sentences_once() -> None:
    """Fragments and very short sentences are left out, and a repeated one counts once."""
    twice = BeirDataset("d", DATASET.corpus * 2, {}, {})
    assert sorted(sentence_pool(twice, 10)) == sorted(SENTENCES)
    assert len(sentence_pool(twice, 2)) == 2


def test_corpus_is_the_same_every_time() -> None:
    """Two runs of the benchmark measure the same texts."""
    texts = recombined(SENTENCES, 50)
    assert texts == recombined(SENTENCES, 50)
    assert {each["external_id"] for each in texts} == {str(number) for number in range(50)}


def test_every_recombined_text_has_a_vector() -> None:
    """Its sentences are found again under the line of the title; the vector is near their mean."""
    means = MeanVectors(SENTENCES, VECTORS)
    for text in recombined(SENTENCES, 50):
        vector = means.of(f"{text['title']}\n{text['text']}")
        assert vector is not None
        mean = sum(VECTORS[row] * text["text"].count(each) for row, each in enumerate(SENTENCES))
        assert abs(float(np.linalg.norm(vector)) - 1) < 1e-5
        assert float(vector @ mean / np.linalg.norm(mean)) > 0.99


def test_same_sentences_under_other_titles_differ_a_little() -> None:
    """Vectors are deterministic, but no two texts share one."""
    means = MeanVectors(SENTENCES, VECTORS)
    first, again, other = (np.asarray(means.of(f"Text {n}\n{SENTENCES[0]}")) for n in (1, 1, 2))
    assert first.shape == (8,)
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_unknown_text_has_no_mean() -> None:
    """A question is left to the model."""
    assert MeanVectors(SENTENCES, VECTORS).of("Do cells divide?") is None


def test_adapter_gets_the_vectors_of_the_endpoint(tmp_path: Path) -> None:
    """The OpenAI-compatible adapter reads what the endpoint serves, in the order of its texts."""
    wanted = {str(row): VECTORS[row] for row in range(3)}

    async def ask(port: int) -> np.ndarray:
        given = {"model": "openai:x", "url": f"http://127.0.0.1:{port}/v1", "dimensions": 8}
        embedder = open_embedder(EmbeddingSettings.model_validate(given), tmp_path)
        try:
            await embedder.embed_query("0")
            return await embedder.embed_documents(["2", "0", "1"])
        finally:
            await embedder.close()

    with serve(lambda texts: [wanted[text] for text in texts]) as port:
        found = asyncio.run(ask(port))
    assert np.allclose(found, VECTORS[[2, 0, 1]])
