"""Read an archive that nobody vouches for: nothing is believed before all of it was looked at, and nothing in it names a
place where anything is written.

Memory is bounded: a part of rows is held at a time, and what unpacks to far more than it takes is refused.
"""

import gzip
import hashlib
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson

from knowlog.archives.contents import TABLES
from knowlog.archives.model import BLOCK, MANIFEST, Manifest, refuse

_PIECE_BYTES = 1024 * 1024
_MOST_RATIO = 200
_UNSUSPECTED_BYTES = 64 * 1024 * 1024
_LONGEST_END = 64 * 1024
_DAMAGED = "It is damaged or cut off."
_LARGEST_PART = 1024 * 1024 * 1024
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ROWS = re.compile(r"rows/([a-z_]{1,63})/([0-9]{6})\.jsonl")
_ORIGINAL = re.compile(rf"originals/{_UUID}/[0-9a-z-]{{1,60}}")
_BLOB = re.compile(rf"({_UUID})/({_UUID}/[0-9a-z-]{{1,60}})")
_MOST_CHUNK = 2**62
_BROKEN = (EOFError, OSError, zlib.error, tarfile.TarError, UnicodeError)
_NAMES = [table.name for table in TABLES]


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the archive. Its content must be read before the next one is asked for."""

    name: str
    size: int
    pieces: Iterator[bytes]

    def content(self) -> bytes:
        """All of it. Raises Invalid for more than a writer would put into one part."""
        if self.size > _LARGEST_PART:
            raise refuse(f"{self.name!r:.100} in it is too large.")
        return b"".join(self.pieces)


@dataclass(slots=True)
class Checked:
    """What was found in an archive that is whole."""

    manifest: Manifest
    least_chunk: int
    most_chunk: int
    sha256: str


@dataclass(slots=True)
class _Seen:
    """What has been seen on the way through an archive."""

    tenant_id: str = ""
    rows: dict[str, int] = field(default_factory=dict)
    columns: dict[str, list[str]] = field(default_factory=dict)
    parts: list[dict[str, Any]] = field(default_factory=list)
    wanted: set[str] = field(default_factory=set)
    originals: int = 0
    original_bytes: int = 0
    listed: Any = field(default_factory=hashlib.sha256)
    least_chunk: int = _MOST_CHUNK
    most_chunk: int = 0


def members(file: IO[bytes]) -> Iterator[Member]:
    """Yield the members of a gzipped tar: plain files alone, no links, no extensions. Raises Invalid."""
    file.seek(0)
    with gzip.GzipFile(fileobj=file) as unpacked:
        limit = _Limit(file, unpacked)
        while (header := limit.read(BLOCK)).strip(b"\0"):
            found = _header(header)
            yield Member(found.name, found.size, limit.pieces(found.size))
            limit.skip_rest()
        rest = limit.read_at_most(_LONGEST_END)
        if len(rest) == _LONGEST_END or rest.strip(b"\0"):
            raise refuse("There is something behind its end.")


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        found = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except _BROKEN as error:
        raise refuse(_DAMAGED) from error
    if found.type != tarfile.REGTYPE or found.size < 0:
        raise refuse(f"{found.name!r:.100} in it is no plain file.")
    return found


class _Limit:
    """Reads what is unpacked, and refuses what grows too much."""

    def __init__(self, packed: IO[bytes], unpacked: gzip.GzipFile) -> None:
        self._packed, self._unpacked = packed, unpacked
        self._read = self._left = self._padding = 0

    def read(self, size: int) -> bytes:
        """So many bytes exactly."""
        found = self.read_at_most(size)
        if len(found) < size:
            raise refuse(_DAMAGED)
        return found

    def read_at_most(self, size: int) -> bytes:
        """So many bytes, or as many as there are."""
        try:
            found = self._unpacked.read(size)
        except _BROKEN as error:
            raise refuse(_DAMAGED) from error
        self._read += len(found)
        if self._read > _UNSUSPECTED_BYTES + _MOST_RATIO * self._packed.tell():
            raise refuse("It unpacks to far more than it takes.")
        return found

    def pieces(self, size: int) -> Iterator[bytes]:
        """The content of a member."""
        self._left, self._padding = size, -size % BLOCK
        return self._pieces()

    def _pieces(self) -> Iterator[bytes]:
        while self._left:
            piece = self.read(min(self._left, _PIECE_BYTES))
            self._left -= len(piece)
            yield piece

    def skip_rest(self) -> None:
        """What nobody has read of the member, and the blanks behind it."""
        for _ in self._pieces():
            pass
        self.read(self._padding)


def check_archive(path: Path, known: Mapping[str, frozenset[str]]) -> Checked:
    """Look at all of an archive. `known`: for each table, the columns that this installation has. Raises Invalid."""
    try:
        with path.open("rb") as file:
            packed = hashlib.file_digest(file, "sha256").hexdigest()
            seen, manifest = _Seen(), None
            for member in members(file):
                if manifest is not None:
                    raise refuse("There is something behind its manifest.")
                manifest = _look(member, seen, known)
    except OSError as error:
        raise refuse(f"{path} cannot be read: {error.strerror or error}.") from error
    if manifest is None:
        raise refuse("It has no manifest: it was cut off.")
    _compare(seen, manifest)
    return Checked(manifest, min(seen.least_chunk, seen.most_chunk), seen.most_chunk, packed)


def _look(member: Member, seen: _Seen, known: Mapping[str, frozenset[str]]) -> Manifest | None:
    """Check one member. Returns the manifest when this is it."""
    if member.name == MANIFEST:
        return Manifest.load(member.content())
    if found := _ROWS.fullmatch(member.name):
        _look_at_rows(found[1], member, seen, known)
    elif _ORIGINAL.fullmatch(member.name):
        _look_at_original(member, seen)
    else:
        raise refuse(f"{member.name!r:.100} does not belong into it.")
    return None


def _look_at_rows(table: str, member: Member, seen: _Seen, known: Mapping[str, frozenset[str]]) -> None:
    if table not in known:
        raise refuse(f"This installation has no table {table!r}: it may be older than the archive.")
    if seen.parts and _NAMES.index(table) < _NAMES.index(_ROWS.fullmatch(seen.parts[-1]["name"])[1]):  # type: ignore[index]
        raise refuse("Its tables are not in their order.")
    content = member.content()
    seen.parts.append(
        {"name": member.name, "bytes": member.size, "sha256": hashlib.sha256(content).hexdigest()}
    )
    for line in content.splitlines():
        _look_at_row(table, line, seen, known[table])


def _look_at_row(table: str, line: bytes, seen: _Seen, columns: frozenset[str]) -> None:
    try:
        row = orjson.loads(line)
        names = list(row)
    except (ValueError, TypeError) as error:
        raise refuse(f"A row of {table} cannot be read.") from error
    if not isinstance(row, dict) or names != seen.columns.setdefault(table, names):
        raise refuse(f"Rows of {table} differ in their columns.")
    if unknown := set(names) - columns:
        raise refuse(f"This installation has no column {sorted(unknown)[0]!r:.80} in {table}.")
    seen.tenant_id = seen.tenant_id or str(row.get("tenant_id"))
    if row.get("tenant_id") != seen.tenant_id:
        raise refuse(f"A row of {table} is of another tenant.")
    seen.rows[table] = seen.rows.get(table, 0) + 1
    if "chunk_id" in row:
        _look_at_chunk(table, row["chunk_id"], seen)
    if row.get("blob") is not None:
        _look_at_blob(table, row["blob"], seen)


def _look_at_chunk(table: str, chunk_id: object, seen: _Seen) -> None:
    if type(chunk_id) is not int or not 0 < chunk_id < _MOST_CHUNK:
        raise refuse(f"A row of {table} has a chunk id that cannot be.")
    seen.least_chunk = min(seen.least_chunk, chunk_id)
    seen.most_chunk = max(seen.most_chunk, chunk_id)


def _look_at_blob(table: str, blob: object, seen: _Seen) -> None:
    found = _BLOB.fullmatch(blob) if isinstance(blob, str) else None
    if found is None or found[1] != seen.tenant_id:
        raise refuse(f"A row of {table} names an original that is not its own.")
    seen.wanted.add(f"originals/{found[2]}")


def _look_at_original(member: Member, seen: _Seen) -> None:
    if member.name not in seen.wanted:
        raise refuse(f"Nothing in it knows the original {member.name!r:.100}.")
    seen.wanted.discard(member.name)
    digest = hashlib.sha256()
    for piece in member.pieces:
        digest.update(piece)
    seen.originals += 1
    seen.original_bytes += member.size
    seen.listed.update(f"{member.name} {member.size} {digest.hexdigest()}\n".encode())


def _compare(seen: _Seen, manifest: Manifest) -> None:
    """Compare what was seen with what the manifest says."""
    if manifest.tenant_id != seen.tenant_id or seen.rows.get("tenants") != 1:
        raise refuse("Its manifest speaks of another tenant.")
    for part, told in zip(seen.parts, manifest.parts, strict=False):
        if part != told:
            raise refuse(f"{part['name']} was changed: its checksum does not fit.")
    if len(seen.parts) != len(manifest.parts):
        raise refuse("Parts of its rows are missing.")
    told_rows = {name: told.get("rows") for name, told in manifest.tables.items() if told.get("rows")}
    if told_rows != seen.rows:
        raise refuse("Rows are missing.")
    originals = {
        "count": seen.originals,
        "bytes": seen.original_bytes,
        "sha256": seen.listed.hexdigest(),
    }
    if originals != manifest.originals or seen.wanted != set(manifest.missing):
        raise refuse("Its original files were changed, or some are missing.")
