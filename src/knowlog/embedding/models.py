"""The configured model, and those that older vectors were made with, opened by their key."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

from knowlog.embedding.port import Embedder
from knowlog.embedding.registry import open_embedder
from knowlog.embedding.settings import EmbeddingSettings
from knowlog.kernel.errors import KnowlogError, Unavailable

OpenModel = Callable[[str], Awaitable[Embedder]]
"""Return the model that makes vectors of a key. Raises Unavailable or Misconfigured where that cannot be had."""

_PATIENCE_S = 2.0
_RETRY_S = 60.0
_FORMS = (
    re.compile(r"(?P<adapter>minilm|bge|pair)-.+-(?P<window>\d+)"),
    re.compile(r"(?P<adapter>fake)-(?P<dimensions>\d+)-(?P<window>\d+)"),
    re.compile(r"(?P<adapter>openai)-(?P<name>.+)-(?P<dimensions>\d+)-(?P<window>\d+)"),
    re.compile(r"(?P<adapter>fastembed)-(?P<name>.+)-(?P<window>\d+)"),
)


class Models:
    """Opens a model at the first call for its key and keeps it. For one event loop; call `close` at the end."""

    def __init__(self, configured: Embedder, settings: EmbeddingSettings, data_dir: Path) -> None:
        self._configured = configured
        self._settings = settings
        self._data_dir = data_dir
        self._opened: dict[str, tuple[float, asyncio.Task[Embedder]]] = {}

    async def open(self, key: str) -> Embedder:
        """See OpenModel. Waits for two seconds at most; what takes longer is there for a later call."""
        if key == self._configured.profile.key:
            return self._configured
        task = self._task(key)
        await asyncio.wait([task], timeout=_PATIENCE_S)
        if not task.done():
            raise Unavailable(f"The model of {key} is still being opened. Try again in a moment.")
        return task.result()

    async def close(self) -> None:
        """Close every model but the configured one, which is its opener's."""
        for _, task in self._opened.values():
            await asyncio.wait([task])
            if task.exception() is None:
                await task.result().close()

    def _task(self, key: str) -> asyncio.Task[Embedder]:
        started, task = self._opened.get(key, (0.0, None))
        failed = task is not None and task.done() and task.exception() is not None
        if task is None or (failed and monotonic() - started > _RETRY_S):
            task = asyncio.create_task(asyncio.to_thread(self._open, key))
            self._opened[key] = (monotonic(), task)
        return task

    def _open(self, key: str) -> Embedder:
        settings = settings_of(key, self._settings)
        if settings is None:
            raise Unavailable(
                f"The settings of the model that made the vectors of {key} are no longer given."
            )
        try:
            opened = open_embedder(settings, self._data_dir)
        except KnowlogError:
            raise
        except Exception as error:  # whatever an old model's library raises, it costs its vectors only
            raise Unavailable(f"The model of {key} cannot be opened: {error!r:.200}.") from error
        if opened.profile.key != key:
            asyncio.run(opened.close())
            raise Unavailable(f"This installation has no model that makes vectors of {key}.")
        return opened


def settings_of(key: str, given: EmbeddingSettings) -> EmbeddingSettings | None:
    """Return settings under which a model makes vectors of this key, None where they cannot be known.

    A key names model, window and dimensions; an endpoint's address and secret are those that are given now. Without
    either, questions are sent nowhere.
    """
    found = next((match for form in _FORMS if (match := form.fullmatch(key))), None)
    if found is None:
        return None
    parts = found.groupdict()
    adapter, name = parts["adapter"], parts.get("name")
    if adapter == "openai" and not given.names_an_endpoint:
        return None
    dimensions = parts.get("dimensions")
    return given.model_copy(
        update={
            "model": f"{adapter}:{name}" if name else adapter,
            "window_tokens": int(parts["window"]),
            "dimensions": int(dimensions) if dimensions else None,
        }
    )


async def no_other(key: str) -> Embedder:
    """Be an OpenModel that has none."""
    raise Unavailable(f"There is no model that makes vectors of {key}.")
