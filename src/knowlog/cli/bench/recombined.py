"""A large corpus out of a small one: sentences joined anew, and an endpoint that embeds them without a model."""

import asyncio
import hashlib
import random
import re
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from knowlog.cli.bench.loading import Text
from knowlog.cli.output import progress
from knowlog.embedding import Embedder, EmbeddingSettings, open_embedder
from knowlog.evaluation import BeirDataset

_SENTENCES = 3
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_LENGTHS = range(20, 301)  # characters of a sentence; three of them stay one chunk
_SEED = 20_25
_NOISE = 0.1
_SLICE = 256
_ANSWER_TIMEOUT_S = 60.0

Vector = NDArray[np.float32]


def sentence_pool(dataset: BeirDataset, most: int) -> list[str]:
    """Draw at most `most` distinct sentences of ordinary length from the corpus; the same every time."""
    found = dict.fromkeys(
        " ".join(each.split()) for text in dataset.corpus for each in _SENTENCE_END.split(text.text)
    )
    usable = [each for each in found if len(each) in _LENGTHS and each.endswith((".", "!", "?"))]
    draw = random.Random(_SEED)  # noqa: S311 - reproducible, not secret
    return draw.sample(usable, min(most, len(usable)))


def recombined(sentences: Sequence[str], count: int) -> list[Text]:
    """Make `count` texts of three sentences drawn from the pool; the same every time."""
    draw = random.Random(_SEED)  # noqa: S311 - reproducible, not secret
    return [
        Text(
            external_id=str(number),
            title=f"Text {number}",
            text=" ".join(draw.choices(sentences, k=_SENTENCES)),
        )
        for number in range(count)
    ]


class MeanVectors:
    """Vectors of texts that consist of known sentences."""

    def __init__(self, sentences: Sequence[str], vectors: Vector) -> None:
        self._rows = {sentence: row for row, sentence in enumerate(sentences)}
        self._vectors = vectors

    def of(self, text: str) -> Vector | None:
        """Return the mean of the vectors of the sentences under the title's line, of length 1.

        It is moved by a tenth of its length in a direction that depends on the text alone, so that no two are
        the same. None where a sentence is not known.
        """
        rows = [self._rows.get(each, -1) for each in _SENTENCE_END.split(text.rpartition("\n")[2])]
        if -1 in rows:
            return None
        mean: Vector = self._vectors[rows].mean(axis=0)
        seed = hashlib.blake2b(text.encode(), digest_size=8).digest()
        noise = np.random.default_rng(int.from_bytes(seed))
        direction = noise.standard_normal(mean.shape, dtype=np.float32)
        return _unit(_unit(mean) + _NOISE * _unit(direction))


def _unit(vector: Vector) -> Vector:
    found: Vector = vector / np.linalg.norm(vector)
    return found.astype(np.float32, copy=False)


@asynccontextmanager
async def serve_means(sentences: Sequence[str]) -> AsyncIterator[dict[str, str]]:
    """Embed the sentences with MiniLM, then serve the vectors of texts made of them on the loopback interface.

    Yields the environment in which a knowlog asks here. Any other text gets MiniLM's own vector.
    """
    with tempfile.TemporaryDirectory(prefix="knowlog-bench-") as folder:
        embedder = await asyncio.to_thread(
            open_embedder, EmbeddingSettings.model_validate({"model": "minilm"}), Path(folder)
        )
        try:
            means = MeanVectors(sentences, await _embed(embedder, sentences))
            loop = asyncio.get_running_loop()

            def model(texts: Sequence[str]) -> Vector:
                asked = asyncio.run_coroutine_threadsafe(embedder.embed_documents(texts), loop)
                return asked.result(_ANSWER_TIMEOUT_S)

            with serve(lambda texts: _answer(texts, means, model)) as port:
                yield _environment(port, embedder.profile.dimensions)
        finally:
            await embedder.close()


async def _embed(embedder: Embedder, sentences: Sequence[str]) -> Vector:
    found = []
    with progress() as bar:
        task = bar.add_task("Embedding sentences", total=len(sentences), note="")
        for start in range(0, len(sentences), _SLICE):
            found.append(await embedder.embed_documents(sentences[start : start + _SLICE]))
            bar.advance(task, len(found[-1]))
    return np.concatenate(found)


def _answer(
    texts: Sequence[str], means: MeanVectors, model: Callable[[Sequence[str]], Vector]
) -> list[Vector]:
    found = {text: means.of(text) for text in texts}
    unknown = [text for text, vector in found.items() if vector is None]
    if unknown:
        found |= dict(zip(unknown, model(unknown), strict=True))
    return [vector for text in texts if (vector := found[text]) is not None]


def _environment(port: int, dimensions: int) -> dict[str, str]:
    return {
        "KNOWLOG_EMBEDDING_MODEL": "openai:recombined",
        "KNOWLOG_EMBEDDING_URL": f"http://127.0.0.1:{port}/v1",
        "KNOWLOG_EMBEDDING_DIMENSIONS": str(dimensions),
        "KNOWLOG_EMBEDDING_REQUEST_TEXTS": "1024",
        "KNOWLOG_EMBEDDING_API_KEY": "none",
    }


@contextmanager
def serve(embed: Callable[[list[str]], list[Vector]]) -> Iterator[int]:
    """Answer OpenAI's embeddings requests on a free port of 127.0.0.1, which is yielded, in threads."""
    server = _Server(embed)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a connection that is kept alive would hold it up

    def __init__(self, embed: Callable[[list[str]], list[Vector]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.embed = embed


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        asked = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rows = [
            {"index": index, "embedding": row} for index, row in enumerate(self.server.embed(asked["input"]))
        ]
        body = orjson.dumps({"data": rows}, option=orjson.OPT_SERIALIZE_NUMPY)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing: this is not the program that the user looks at."""
