"""Any endpoint that speaks OpenAI's chat completions, streamed: `POST {url}/chat/completions`.

https://platform.openai.com/docs/api-reference/chat/streaming. What comes is not trusted: a stream may be endless, break
off, hold garbage, or be another model's.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import httpx
import orjson

from knowlog.kernel.errors import Misconfigured, Unavailable
from knowlog.llm.model import NOTHING_USED, Prompt, Usage
from knowlog.llm.provider import host_of
from knowlog.llm.settings import Chosen
from knowlog.resilience import Refusals

OWN_URL = "https://api.openai.com/v1"
_PAUSE_S = 20
_MOST_BYTES = 4 * 1024 * 1024
_NOT_ASKED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_FIELDS = (":", "event:", "id:", "retry:")
"""Lines of server-sent events that say nothing here."""


class OpenAIModel:
    """One request for each prompt, at temperature 0."""

    def __init__(self, chosen: Chosen, client: httpx.AsyncClient) -> None:
        self.name = chosen.name
        self.place = host_of(str(client.base_url))
        self._prefix = chosen.prefix
        self._hushed = chosen.hushed
        self._client = client
        self._refusals = Refusals(
            f"The language model at {self.place}",
            f"{chosen.prefix}API_KEY",
            f"{chosen.prefix}URL and {chosen.prefix}MODEL",
            _PAUSE_S,
        )

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Usage, None]:
        """See the port."""
        try:
            async with self._client.stream("POST", "chat/completions", json=self._given(prompt)) as response:
                if response.status_code != httpx.codes.OK:
                    yield NOTHING_USED
                    raise self._refusals.of(response.status_code, response.headers.get("retry-after", ""))
                async for piece in self._pieces(response):
                    yield piece
        except httpx.TimeoutException as error:
            if isinstance(error, _NOT_ASKED):
                yield NOTHING_USED
            raise Unavailable(f"The language model at {self.place} did not answer in time.") from error
        except httpx.RequestError as error:
            if isinstance(error, _NOT_ASKED):
                yield NOTHING_USED
            said = self._hushed(str(error) or type(error).__name__)
            raise Unavailable(f"The language model at {self.place} cannot be reached: {said}.") from error

    async def close(self) -> None:
        """Close connections."""
        await self._client.aclose()

    def _given(self, prompt: Prompt) -> dict[str, Any]:
        messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]
        given = {
            "model": self.name,
            "messages": messages,
            "temperature": 0,
            "max_tokens": prompt.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if prompt.schema is not None:
            form = {"name": "reply", "strict": True, "schema": prompt.schema}
            given["response_format"] = {"type": "json_schema", "json_schema": form}
        return given

    async def _pieces(self, response: httpx.Response) -> AsyncGenerator[str | Usage, None]:
        ended = False
        async for line in self._lines(response):
            if not line or line.startswith(_FIELDS):
                continue
            data = line.removeprefix("data:").strip()
            if data == "[DONE]":
                return
            chunk = self._chunk(data)
            if used := _usage(chunk):
                yield used
            for choice in chunk.get("choices") or ():
                if text := (choice.get("delta") or {}).get("content"):
                    yield text
                ended = ended or bool(choice.get("finish_reason"))
        if not ended:
            raise Unavailable(f"The reply of the language model at {self.place} broke off.")

    async def _lines(self, response: httpx.Response) -> AsyncIterator[str]:
        """Yield the lines of a body of bounded length."""
        kept, size = b"", 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > _MOST_BYTES:
                raise Unavailable(f"The reply of the language model at {self.place} does not end.")
            *lines, kept = (kept + part).split(b"\n")
            for line in lines:
                yield line.decode("utf-8", "replace").strip()
        yield kept.decode("utf-8", "replace").strip()

    def _chunk(self, data: str) -> Mapping[str, Any]:
        """Read one event. Raises Unavailable for what is none or tells of an error, Misconfigured for another model's."""
        try:
            chunk = orjson.loads(data)
            shaped = isinstance(chunk, dict) and all(
                isinstance(each, dict)
                and isinstance((each.get("delta") or {}).get("content", ""), str | None)
                for each in chunk.get("choices") or ()
            )
        except (ValueError, TypeError, AttributeError):
            shaped = False
        if not shaped or "error" in chunk:
            raise Unavailable(
                f"The language model at {self.place} answered with something else than a message: "
                f"{self._hushed(data)[:80]!r}."
            )
        self._check_name(str(chunk.get("model") or ""))
        return chunk  # type: ignore[no-any-return]

    def _check_name(self, told: str) -> None:
        """Providers add dates and paths to a name; what has nothing of it is another model."""
        wanted, given = self.name.lower(), told.lower()
        if given and wanted not in given and given not in wanted:
            raise Misconfigured(
                f"The language model {self.name} was asked at {self.place}, and {self._hushed(told)!r:.100} answered: "
                f"correct {self._prefix}MODEL or {self._prefix}URL."
            )


def _usage(chunk: Mapping[str, Any]) -> Usage | None:
    told = chunk.get("usage")
    try:
        return Usage(int(told["prompt_tokens"]), int(told["completion_tokens"])) if told else None
    except (KeyError, TypeError, ValueError):
        return None


def open_openai(chosen: Chosen, transport: httpx.AsyncBaseTransport | None = None) -> OpenAIModel:
    """Open the adapter; the endpoint is not called yet. `transport`: over which it is, None for the usual one."""
    headers = {"Authorization": f"Bearer {chosen.key}"} if chosen.key else {}
    client = httpx.AsyncClient(
        base_url=chosen.url or OWN_URL,
        headers=headers,
        timeout=chosen.timeout_s,
        trust_env=False,
        transport=transport,
    )
    return OpenAIModel(chosen, client)
