"""Whether every collection answers by the configured embedding model, and if not, how far its vectors are made anew."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from knowlog.cli.doctor.database import open_database
from knowlog.cli.doctor.model import Finding, ok, warn
from knowlog.database import Connection
from knowlog.embedding import open_embedder
from knowlog.ingestion import QUIET
from knowlog.kernel.wording import counted
from knowlog.settings import Settings

_PART = "embeddings"
_DIFFER = warn(
    _PART,
    "workers have different embedding models, so no vectors are made anew",
    "Give all processes the same KNOWLOG_EMBEDDING_ settings, and restart those that had others.",
)


async def check_embeddings(settings: Settings) -> AsyncIterator[Finding]:
    """Compare the configured model with the keys under which collections answer. Changes nothing."""
    connection = await open_database(settings)
    if connection is None:
        return
    rows, differ = await _overview(connection)
    if differ:
        yield _DIFFER
    embedder = await asyncio.to_thread(open_embedder, settings.embedding, settings.data_dir)
    await embedder.close()
    yield judge(rows, embedder.profile.key)


def judge(rows: Sequence[Any], key: str) -> Finding:
    """Say what the overview of the collections' keys means under the configured one."""
    others = [row for row in rows if row["answering"] != key]
    behind = [row for row in rows if row["answering"] != key or row["building"]]
    if not behind:
        return ok(_PART, f"all collections answer by {key}")
    done, total = (sum(row[name] for row in behind) for name in ("done", "total"))
    answering = ", ".join(sorted({row["answering"] for row in others})) or key
    found = (
        f"{counted(sum(row['collections'] for row in behind), 'collection')} answered by {answering}; "
        f"{100 * done // total if total else 0} % of their vectors are made for {key}"
    )
    reason = next((row["reason"] for row in behind if row["reason"]), None)
    if reason:
        return warn(_PART, f"{found}; it is held up: {reason}", "Mend the model; workers then go on.")
    return warn(
        _PART, found, "Nothing: workers go on with it, and each collection switches when it is complete."
    )


async def _overview(connection: Connection) -> tuple[Sequence[Any], bool]:
    """The collections' keys, and whether workers have different models."""
    try:
        if await connection.fetchval("select to_regproc('knowlog.models_differ')") is None:
            return [], False
        await connection.execute("set role knowlog_system")
        rows: Sequence[Any] = await connection.fetch("select * from knowlog.embedding_overview()")
        return rows, await connection.fetchval("select knowlog.models_differ($1)", QUIET)
    finally:
        await connection.close()
