"""What `knowlog chunk` does."""

import asyncio
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray

from knowlog.chunking import (
    COMPARING,
    READ_BY,
    ChunkingProfile,
    LanguageModel,
    Models,
    chunk,
    estimate,
    open_language_model,
    require_models,
    unread,
)
from knowlog.cli.chunk.model import Cut, as_json
from knowlog.cli.chunk.page import page
from knowlog.cli.chunk.terminal import show
from knowlog.cli.files import write_page
from knowlog.cli.output import emit, say
from knowlog.documents import ParsedText
from knowlog.embedding import Embedder, open_embedder
from knowlog.ingestion import Parser
from knowlog.kernel.errors import Invalid, Misconfigured
from knowlog.settings import Settings, load_settings

_SETTING = re.compile(r"chunking\.([a-z_]+)")


async def show_cuts(
    file: Path, wanted: Sequence[dict[str, Any]], html: Path | None, yes: bool, json: bool
) -> None:
    """Cut the file as each of the profiles `wanted` says, and show it. Raises Invalid or Misconfigured."""
    settings = load_settings()
    embedder = await asyncio.to_thread(open_embedder, settings.embedding, settings.data_dir)
    try:
        window = embedder.profile.window_tokens
        profiles = [_profile(fields, window) for fields in wanted]
        _require_read(wanted[0], [profile.strategy for profile in profiles])
        language = open_language_model(settings.chunking)
        for profile in profiles:
            require_models(profile, language)
        parsed = await _read(settings, file)
        if language and any(profile.strategy == "llm" for profile in profiles):
            await asyncio.to_thread(_ask, parsed, profiles, embedder, language, yes)
        cuts = [await _cut(parsed, profile, embedder, language) for profile in profiles]
        tokens = len(embedder.token_offsets(parsed.text))
    finally:
        await embedder.close()
    if html:
        write_page(html, page(file.name, parsed.text, cuts))
        say(f"{html} shows it.")
    emit(as_json(parsed, tokens, cuts) if json else None, json, lambda _: show(parsed.text, cuts))


def _profile(fields: dict[str, Any], window: int) -> ChunkingProfile:
    """The profile. Raises Invalid in the words of the command's options."""
    try:
        return ChunkingProfile.read(fields, window)
    except Invalid as error:
        raise Invalid(_SETTING.sub(_option, error.detail)) from error


def _require_read(said: Iterable[str], strategies: Collection[str]) -> None:
    """Raise Invalid for an option that would change nothing, because none of the strategies reads it."""
    if name := unread(said, strategies):
        raise Invalid(
            f"{_named(name)} changes nothing here: it is read by {', '.join(READ_BY[name])} alone. Name such a strategy"
            " with --strategy, or leave it out."
        )


def _option(setting: re.Match[str]) -> str:
    return _named(setting[1])


def _named(setting: str) -> str:
    return "--" + ("chunk-tokens" if setting == "size_tokens" else setting.replace("_", "-"))


async def _read(settings: Settings, file: Path) -> ParsedText:
    try:
        content = await asyncio.to_thread(file.read_bytes)
    except OSError as error:
        raise Misconfigured(f"{file} cannot be read: {error.strerror}. Name a file.") from error
    parser = Parser(settings.parsing)
    try:
        return await parser.parse(content, file.name)
    finally:
        await parser.close()


async def _cut(
    parsed: ParsedText, profile: ChunkingProfile, embedder: Embedder, language: LanguageModel | None
) -> Cut:
    loop = asyncio.get_running_loop()

    def embed(texts: Sequence[str], /) -> NDArray[np.float32]:
        return asyncio.run_coroutine_threadsafe(embedder.embed_documents(texts), loop).result()

    models = Models(embed if profile.strategy in COMPARING else None, language)
    started = perf_counter()
    spans = await asyncio.to_thread(
        chunk, parsed.text, profile, embedder.token_offsets, parsed.structure, models, parsed.media_type
    )
    return Cut(profile, spans, (perf_counter() - started) * 1000)


def _ask(
    parsed: ParsedText,
    profiles: Sequence[ChunkingProfile],
    embedder: Embedder,
    language: LanguageModel,
    yes: bool,
) -> None:
    """Say what the language model will be asked, and wait for a yes."""
    profile = next(profile for profile in profiles if profile.strategy == "llm")
    cost = estimate(parsed.text, profile, embedder.token_offsets, parsed.structure)
    say(
        f"The text is sent to {language.name}: about {cost.requests:,} requests, {cost.read_tokens:,} tokens to read and"
        f" up to {cost.written_tokens:,} to write."
    )
    if not yes:
        typer.confirm("Send it?", abort=True, err=True)
