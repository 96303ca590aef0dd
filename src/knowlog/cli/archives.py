"""Archives of tenants in a terminal: written from a server, brought in on the machine that has the database."""

import asyncio
import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knowlog.cli.output import tell
from knowlog.cli.running import here
from knowlog.kernel.errors import Invalid
from knowlog.settings import load_settings

if TYPE_CHECKING:
    from knowlog.cli.client import Client

_TOLD_EVERY_BYTES = 64 * 1024 * 1024


def save_archive(client: "Client", path: str, file: Path) -> dict[str, Any]:
    """Download an archive into a new file. Returns its size and SHA-256. Raises Invalid; a file is left only whole."""
    partial = file.with_name(f".{file.name}.partial")
    digest, size, told = hashlib.sha256(), 0, 0
    if file.exists():
        raise Invalid(f"{file} is there already. Give another name.")
    try:
        with partial.open("wb") as written:
            for piece in client.download(path):
                written.write(piece)
                digest.update(piece)
                size += len(piece)
                if size - told >= _TOLD_EVERY_BYTES:
                    told = size
                    tell(f"{size / 2**20:,.0f} MB ...")
        partial.rename(file)
    except OSError as error:
        raise Invalid(f"{file} cannot be written: {error.strerror or error}.") from error
    finally:
        partial.unlink(missing_ok=True)
    return {"file": str(file), "bytes": size, "sha256": digest.hexdigest()}


def bring_in_archive(file: Path, name: str | None, sha256: str | None) -> dict[str, Any]:
    """Bring the tenant of an archive into this machine's installation. Raises Invalid, Misconfigured, Unavailable."""
    try:
        with file.open("rb") as archive:
            found = hashlib.file_digest(archive, "sha256").hexdigest()
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror or error}.") from error
    if sha256 is not None and sha256.lower() != found:
        raise Invalid(f"{file} is not the archive that was meant: its SHA-256 is {found}.")
    return asyncio.run(_bring_in(file, name))


async def _bring_in(file: Path, name: str | None) -> dict[str, Any]:
    from knowlog.archives import bring_in  # with the rooms that it needs, which no other command loads
    from knowlog.database import open_database
    from knowlog.documents import open_blob_store

    settings = here(load_settings())
    database = await open_database(settings.database, settings.data_dir)
    try:
        blobs = open_blob_store(settings.documents, settings.data_dir)
        brought = await bring_in(database, blobs, file, name, tell)
    finally:
        await database.close()
    return {**asdict(brought), "tenant_id": str(brought.tenant_id)}
