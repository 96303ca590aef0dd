"""The bytes of a document that comes in: in memory, or in a file where they are many."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class InFile:
    """Bytes in an open file, which belongs to who opened it, and may be read as often as needed, by one at a time."""

    file: BinaryIO
    size_bytes: int
    sha256: bytes

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes from the first on, a MB at a time."""
        self.file.seek(0)
        while piece := self.file.read(_PIECE_BYTES):
            yield piece


Content = bytes | InFile


def in_file(file: BinaryIO) -> InFile:
    """Read a file through once, to know its size and what it holds. Blocks."""
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_PIECE_BYTES):
        digest.update(piece)
    return InFile(file, file.tell(), digest.digest())


def size_of(content: Content) -> int:
    """How many bytes there are."""
    return content.size_bytes if isinstance(content, InFile) else len(content)


def sha256_of(content: Content) -> bytes:
    """The digest by which the same bytes are known again."""
    return content.sha256 if isinstance(content, InFile) else hashlib.sha256(content).digest()


def head_of(content: Content, size_bytes: int) -> bytes:
    """The first bytes."""
    if isinstance(content, bytes):
        return content[:size_bytes]
    content.file.seek(0)
    return content.file.read(size_bytes)


def pieces_of(content: Content) -> Iterator[bytes]:
    """Yield all bytes, in pieces."""
    return iter((content,)) if isinstance(content, bytes) else content.pieces()
