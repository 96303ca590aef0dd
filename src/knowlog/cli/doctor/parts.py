"""The embedding model, the parser and the blob store, each tried for real."""

from collections.abc import AsyncIterator

import numpy as np

from knowlog.cli.doctor.model import Finding, fail, ok
from knowlog.documents import open_blob_store
from knowlog.embedding import open_embedder
from knowlog.ingestion import Parser
from knowlog.settings import Settings

_PAGE = b"<html><head><title>Check</title></head><body><h1>Check</h1><p>The parser works.</p></body></html>"


async def check_model(settings: Settings) -> AsyncIterator[Finding]:
    """Open the model (its file is checked against its checksum) and embed a sentence."""
    embedder = open_embedder(settings.embedding, settings.data_dir)
    try:
        vector = await embedder.embed_query("knowlog")
    finally:
        await embedder.close()
    length = float(np.linalg.norm(vector))
    if vector.shape != (embedder.profile.dimensions,) or not 0.99 < length < 1.01:
        yield fail(
            "embedding model",
            f"a vector of length {length:.2f}",
            f"Delete {settings.data_dir / 'models'}; the next start makes it.",
        )
    else:
        yield ok(
            "embedding model",
            f"{embedder.profile.name}, {embedder.profile.dimensions} dimensions, checksum right",
        )


async def check_parser(settings: Settings) -> AsyncIterator[Finding]:
    """Read a small page through the child process."""
    parser = Parser(settings.parsing)
    try:
        parsed = await parser.parse(_PAGE, "check.html", "text/html")
    finally:
        await parser.close()
    if "The parser works." in parsed.text:
        yield ok("parser", "reads")
    else:
        yield fail("parser", f"it read {parsed.text!r:.80}", "Install knowlog again.")


async def check_blobs(settings: Settings) -> AsyncIterator[Finding]:
    """Write to the blob store and read it back."""
    await open_blob_store(settings.documents, settings.data_dir).check()
    yield ok("blob store", settings.documents.blobs)
