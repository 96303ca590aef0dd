"""Any endpoint that speaks OpenAI's embeddings API: `POST {url}/embeddings`.

https://platform.openai.com/docs/api-reference/embeddings
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from knowlog.embedding import wordpiece
from knowlog.embedding.model import EmbeddingProfile
from knowlog.embedding.settings import EmbeddingSettings
from knowlog.kernel.errors import Misconfigured, Unavailable
from knowlog.resilience import Bounds, Policy, Refusals, WholeReply, guard_of, post

DEFAULT_WINDOW = 8000
"""A little below the 8,191 of OpenAI's models, because tokens are counted with another tokenizer here."""
_POLICY = Policy()
_ROOM_BYTES, _BYTES_PER_NUMBER = 1024 * 1024, 64
"""A reply has room for a refusal, and for each number with all of its digits and blanks."""


class OpenAIEmbedder:
    """Texts travel in batches, one request after the other; vectors are checked and brought to length 1."""

    def __init__(
        self, profile: EmbeddingProfile, client: httpx.AsyncClient, request_texts: int, timeout_s: float
    ) -> None:
        self.profile = profile
        self._client = client
        self._request_texts = request_texts
        self._timeout_s = timeout_s
        self.guard = guard_of(f"embedding model {profile.name} at {client.base_url.netloc.decode()}", _POLICY)
        self._refusals = Refusals(
            f"The embedding endpoint {self._place}",
            "KNOWLOG_EMBEDDING_API_KEY",
            "KNOWLOG_EMBEDDING_URL, _MODEL and _WINDOW_TOKENS",
        )

    async def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row for each text. Raises Unavailable, LimitReached or Misconfigured."""
        parts = [np.empty((0, self.profile.dimensions), np.float32)]
        for start in range(0, len(texts), self._request_texts):
            parts.append(await self.guard.run(self._embed, texts[start : start + self._request_texts]))
        return np.concatenate(parts)

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a question. Raises like embed_documents."""
        vector: NDArray[np.float32] = (await self.guard.run(self._embed, [text]))[0]
        return vector

    def token_offsets(self, text: str) -> NDArray[np.int32]:
        """Return where each of BERT's word pieces starts; the model's own tokens are similar in number."""
        return wordpiece.token_offsets(text)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        given = {"model": self.profile.name, "input": [self._cut(text) for text in texts]}
        try:
            reply = await post(self._client, "embeddings", given, self._bounds(len(texts)))
        except httpx.TimeoutException as error:
            raise Unavailable(f"The embedding endpoint {self._place} did not answer in time.") from error
        except httpx.RequestError as error:
            raise Unavailable(f"The embedding endpoint {self._place} cannot be reached: {error}.") from error
        if reply.status != httpx.codes.OK:
            wait = reply.headers.get("retry-after", "")
            raise self._refusals.of(reply.status, wait, _detail(reply))
        return self._vectors(reply, len(texts))

    def _cut(self, text: str) -> str:
        """Cut the text to the window. The endpoint refuses an empty text, so that becomes a space."""
        window, text = self.profile.window_tokens, wordpiece.readable(text)
        if len(text) > window:
            starts = wordpiece.token_offsets(text[: window * wordpiece.LONGEST_WORD])
            text = text[: starts[window]] if len(starts) > window else text
        return text or " "

    def _vectors(self, reply: WholeReply, count: int) -> NDArray[np.float32]:
        rows = _rows(reply)
        if rows is None or len(rows) != count:
            raise Unavailable(f"The embedding endpoint {self._place} answered with no list of vectors.")
        lengths = sorted({len(row) for row in rows})
        if lengths != [self.profile.dimensions]:
            raise Misconfigured(
                f"The model {self.profile.name} returns vectors of {lengths[0]} numbers, and "
                f"{self.profile.dimensions} are expected: set KNOWLOG_EMBEDDING_DIMENSIONS={lengths[0]}."
            )
        vectors = np.asarray(rows, np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.all(np.isfinite(norms) & (norms > 0)):
            raise Unavailable(f"The embedding endpoint {self._place} answered with an empty vector.")
        return np.asarray(vectors / norms, np.float32)

    def _bounds(self, texts: int) -> Bounds:
        most_bytes = _ROOM_BYTES + texts * self.profile.dimensions * _BYTES_PER_NUMBER
        return Bounds(f"The embedding endpoint {self._place}", most_bytes, self._timeout_s)

    @property
    def _place(self) -> str:
        return str(self._client.base_url)


def _detail(reply: WholeReply) -> str:
    """Return what the endpoint says about its refusal, for a person, or nothing."""
    try:
        message = reply.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return ""
    return f": {str(message).rstrip('.')[:300]}"


def _rows(reply: WholeReply) -> list[list[float]] | None:
    """Return the vectors in the order of the texts, or None where the body is not what the API promises."""
    try:
        data: list[dict[str, Any]] = reply.json()["data"]
        rows = [item["embedding"] for item in sorted(data, key=lambda item: int(item["index"]))]
    except (ValueError, KeyError, TypeError):
        return None
    return rows if all(_numbers(row) for row in rows) else None


def _numbers(row: object) -> bool:
    return isinstance(row, list) and all(isinstance(number, int | float) for number in row)


def open_openai(settings: EmbeddingSettings, data_dir: Path) -> OpenAIEmbedder:
    """Open the adapter; the endpoint is not called yet. Raises Misconfigured where a setting is missing."""
    name, dimensions = settings.model_name, settings.dimensions
    if not name or dimensions is None:
        raise Misconfigured(
            "An embedding endpoint needs the model's name and length: "
            "set KNOWLOG_EMBEDDING_MODEL=openai:NAME and KNOWLOG_EMBEDDING_DIMENSIONS."
        )
    if not settings.url.startswith(("http://", "https://")):
        raise Misconfigured("KNOWLOG_EMBEDDING_URL has to start with http:// or https://.")
    window = settings.window_tokens or DEFAULT_WINDOW
    headers = {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"} if settings.api_key else {}
    client = httpx.AsyncClient(base_url=settings.url, headers=headers, timeout=settings.timeout_s)
    profile = EmbeddingProfile(name, dimensions, window, f"openai-{name}-{dimensions}-{window}")
    return OpenAIEmbedder(profile, client, settings.request_texts, settings.timeout_s)
