"""Any endpoint that speaks OpenAI's chat completions: `POST {url}/chat/completions`.

https://platform.openai.com/docs/api-reference/chat
"""

import httpx

from knowlog.chunking.settings import ChunkingSettings
from knowlog.kernel.errors import Misconfigured, Unavailable
from knowlog.resilience import Bounds, Policy, Refusals, WholeReply, guard_of, post_sync

_PAUSE_S = 20
_MOST_BYTES = 4 * 1024 * 1024
_POLICY = Policy(attempts=1)  # a job that fails is tried again as a whole


class OpenAILanguageModel:
    """One request for each prompt, at temperature 0. Safe to call from several threads."""

    def __init__(self, name: str, client: httpx.Client, timeout_s: float) -> None:
        self.name = name
        self._client = client
        self._bounds = Bounds(f"The language model at {client.base_url}", _MOST_BYTES, timeout_s)
        self.guard = guard_of(
            f"language model of chunking {name} at {client.base_url.netloc.decode()}", _POLICY
        )
        self._refusals = Refusals(
            f"The language model at {self._place}",
            "KNOWLOG_CHUNKING_LLM_API_KEY",
            "KNOWLOG_CHUNKING_LLM_URL and KNOWLOG_CHUNKING_LLM_MODEL",
            _PAUSE_S,
        )

    def complete(self, prompt: str) -> str:
        """Return the model's answer. Raises Unavailable, LimitReached or Misconfigured."""
        return self.guard.run_sync(self._ask, prompt)

    def _ask(self, prompt: str) -> str:
        given = {"model": self.name, "temperature": 0, "messages": [{"role": "user", "content": prompt}]}
        try:
            reply = post_sync(self._client, "chat/completions", given, self._bounds)
        except httpx.TimeoutException as error:
            raise Unavailable(f"The language model at {self._place} did not answer in time.") from error
        except httpx.RequestError as error:
            raise Unavailable(f"The language model at {self._place} cannot be reached: {error}.") from error
        if reply.status != httpx.codes.OK:
            raise self._refusals.of(reply.status, reply.headers.get("retry-after", ""))
        return self._answer(reply)

    def _answer(self, reply: WholeReply) -> str:
        try:
            answer = reply.json()["choices"][0]["message"]["content"]
        except (ValueError, KeyError, TypeError, IndexError):
            answer = None
        if not isinstance(answer, str):
            raise Unavailable(
                f"The language model at {self._place} answered with something else than a message."
            )
        return answer

    @property
    def _place(self) -> str:
        return str(self._client.base_url)


def open_openai(settings: ChunkingSettings) -> OpenAILanguageModel:
    """Open the adapter; the endpoint is not called yet. Raises Misconfigured where a setting is missing."""
    if not settings.llm_url or not settings.llm_model:
        raise Misconfigured(
            "A language model needs address and name: set both KNOWLOG_CHUNKING_LLM_URL and KNOWLOG_CHUNKING_LLM_MODEL."
        )
    if not settings.llm_url.startswith(("http://", "https://")):
        raise Misconfigured("KNOWLOG_CHUNKING_LLM_URL has to start with http:// or https://.")
    key = settings.llm_api_key
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    client = httpx.Client(base_url=settings.llm_url, headers=headers, timeout=settings.llm_timeout_s)
    return OpenAILanguageModel(settings.llm_model, client, settings.llm_timeout_s)
