"""Write a tenant's archive as a stream: a gzipped tar of JSON Lines and original bytes, the manifest last.

Rows are read in one snapshot, a few megabytes at a time; original bytes follow when the database is let go.
"""

import asyncio
import hashlib
import tarfile
import tempfile
import zlib
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import IO, Any

import orjson

from knowlog import __version__
from knowlog.archives.contents import TABLES, Table
from knowlog.archives.model import BLOCK, MANIFEST, Manifest
from knowlog.database import Connection, Database, Scope
from knowlog.documents import BlobStore
from knowlog.kernel import now
from knowlog.kernel.errors import InternalError, NotFound
from knowlog.tenants import Tenant, audit_head

_PART_BYTES = 4 * 1024 * 1024
_PIECE_BYTES = 512 * 1024
_ROWS_AT_ONCE = 200
_COLUMNS = """
    select a.attname from pg_attribute a
    where a.attrelid = to_regclass('knowlog.' || $1::text) and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    order by a.attnum"""
_ORIGINALS = """
    select blob, size_bytes from versions where tenant_id = tenant()
    union all
    select blob, size_bytes from dead_letters where tenant_id = tenant() and blob is not null and not withheld
    order by blob"""


class _Tar:
    """The bytes of a gzipped tar, member by member."""

    def __init__(self) -> None:
        self._gzip = zlib.compressobj(1, zlib.DEFLATED, 31)

    async def member(self, name: str, content: bytes) -> bytes:
        """A whole member."""
        return await self.begin(name, len(content)) + await self.go_on(content) + await self.end(len(content))

    async def begin(self, name: str, size: int) -> bytes:
        """The head of a member of which the content follows."""
        header = tarfile.TarInfo(name)
        header.size, header.mode = size, 0o600
        return await self.go_on(header.tobuf(tarfile.USTAR_FORMAT))

    async def go_on(self, piece: bytes) -> bytes:
        return await asyncio.to_thread(self._gzip.compress, piece)

    async def end(self, size: int) -> bytes:
        """The blanks behind a member of this size."""
        return await self.go_on(bytes(-size % BLOCK))

    async def close(self) -> bytes:
        """The end of the tar."""
        return await self.go_on(bytes(2 * BLOCK)) + self._gzip.flush()


async def write_archive(
    database: Database, blobs: BlobStore, scope: Scope, tenant: Tenant
) -> AsyncIterator[bytes]:
    """Yield the archive of a tenant. `scope` must see all of it. Raises Unavailable.

    An archive that breaks off has no manifest, and is refused by whoever reads it.
    """
    tar = _Tar()
    with tempfile.TemporaryFile() as spool:
        async with database.snapshot(scope) as connection:
            manifest = await _begun(connection, tenant)
            async for name, part in _all_parts(connection, manifest):
                yield await tar.member(name, part)
            async for row in connection.cursor(_ORIGINALS, prefetch=_ROWS_AT_ONCE):
                spool.write(orjson.dumps([row["blob"], row["size_bytes"]]) + b"\n")
        async for piece in _originals(tar, blobs, spool, manifest):
            yield piece
    yield await tar.member(MANIFEST, manifest.dump())
    yield await tar.close()


async def _begun(connection: Connection, tenant: Tenant) -> Manifest:
    head = asdict(await audit_head(connection))
    return Manifest(str(tenant.tenant_id), tenant.name, now().isoformat(), f"knowlog {__version__}", head)


async def _all_parts(connection: Connection, manifest: Manifest) -> AsyncIterator[tuple[str, bytes]]:
    """Yield the rows of every table in parts, and note them in the manifest."""
    for table in TABLES:
        columns = [row[0] for row in await connection.fetch(_COLUMNS, table.name)]
        columns = [name for name in columns if name not in table.without]
        told = manifest.tables[table.name] = {"columns": columns, "rows": 0}
        number = 0
        async for rows, part in _parts(connection, table, columns):
            number += 1
            told["rows"] += rows
            name = f"rows/{table.name}/{number:06}.jsonl"
            digest = await asyncio.to_thread(hashlib.sha256, part)
            manifest.parts.append({"name": name, "bytes": len(part), "sha256": digest.hexdigest()})
            yield name, part


async def _parts(
    connection: Connection, table: Table, columns: list[str]
) -> AsyncIterator[tuple[int, bytes]]:
    """Yield (number of rows, their lines): parts of some megabytes."""
    values = {**{name: f't."{name}"' for name in columns}, **table.told}
    named = ", ".join(f'{values[name]} as "{name}"' for name in columns)
    query = (
        f"select row_to_json(x)::text from (select {named} from {table.name} t {table.beside}"  # noqa: S608 - names of ours
        f" where t.tenant_id = tenant() and {table.only}) x"
    )
    lines: list[bytes] = []
    size = 0
    async for row in connection.cursor(query, prefetch=_ROWS_AT_ONCE):
        lines.append(row[0].encode())
        size += len(lines[-1]) + 1
        if size >= _PART_BYTES:
            yield len(lines), b"\n".join([*lines, b""])
            lines, size = [], 0
    if lines:
        yield len(lines), b"\n".join([*lines, b""])


async def _originals(
    tar: _Tar, blobs: BlobStore, spool: IO[bytes], manifest: Manifest
) -> AsyncIterator[bytes]:
    """Yield the original bytes, and note them in the manifest."""
    count, total, listed = 0, 0, hashlib.sha256()
    spool.seek(0)
    for line in spool:
        key, size = orjson.loads(line)
        name = f"originals/{key.partition('/')[2]}"
        digest = hashlib.sha256()
        try:
            async for piece in _original(tar, blobs, key, name, size, digest):
                yield piece
        except NotFound:
            manifest.missing.append(name)
            continue
        count, total = count + 1, total + size
        listed.update(f"{name} {size} {digest.hexdigest()}\n".encode())
    manifest.originals = {"count": count, "bytes": total, "sha256": listed.hexdigest()}


async def _original(
    tar: _Tar, blobs: BlobStore, key: str, name: str, size: int, digest: Any
) -> AsyncIterator[bytes]:
    """Yield one original. Raises NotFound before its first piece where it is gone."""
    pieces = blobs.stream(key, _PIECE_BYTES)
    first = await anext(pieces, b"")
    yield await tar.begin(name, size)
    seen, piece = 0, first
    while piece:
        seen += len(piece)
        digest.update(piece)
        yield await tar.go_on(piece)
        piece = await anext(pieces, b"")
    if seen != size:
        raise InternalError(
            f"The original {key} has {seen} bytes where {size} are known. Check the blob store."
        )
    yield await tar.end(size)
