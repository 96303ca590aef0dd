"""Word 97 documents ([MS-DOC]), put so that kreuzberg takes no instruction of a field for text.

A field is written as an instruction and what Word last made of it: `HYPERLINK "http://..."` and the words of the link.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace

from olefile import OleFileIO

from knowlog.formats.kinds import Kind
from knowlog.formats.model import Extracted, Limits, Source
from knowlog.formats.office import read_office

_BEGIN, _SEPARATOR, _END = 0x13, 0x14, 0x15
_KEPT = frozenset((_BEGIN, _SEPARATOR, _END, 0x07, 0x0C, 0x0D))
"""Marks of fields, of cells, of pages and of paragraphs, on which what follows relies."""
_PIECES_AT, _FLAGS_AT, _OTHER_TABLE = 0x01A2, 0x0A, 0x0200
_COMPRESSED = 1 << 30
_SHOWN, _LONGEST_NAME = "EQ", 16
"""An equation has no result: it is drawn by its instruction, as are readings above Japanese words."""

Piece = tuple[int, int, int]
"""Where characters stand: offset, count, and bytes of each."""


def read_old_word(source: Source, kind: Kind, limits: Limits) -> Extracted:
    """Read a Word 97 document, without the instructions of its fields."""
    return read_office(replace(source, content=_without_instructions(source.content)), kind, limits)


def _without_instructions(content: bytes) -> bytes:
    """The document with each character of an instruction overwritten; as it is, where its pieces cannot be found."""
    file = io.BytesIO(content)
    try:
        with OleFileIO(file, write_mode=True) as container:
            text = bytearray(container.openstream("WordDocument").read())
            flags = struct.unpack_from("<H", text, _FLAGS_AT)[0]
            table = container.openstream("1Table" if flags & _OTHER_TABLE else "0Table").read()
            _overwrite(text, list(_pieces(text, table)))
            container.write_stream("WordDocument", bytes(text))
            return file.getvalue()
    except (OSError, ValueError, struct.error, IndexError, NotImplementedError):
        return content


def _pieces(text: bytearray, table: bytes) -> Iterator[Piece]:
    """Where the characters stand, in their order (section 2.4.1)."""
    at, size = struct.unpack_from("<LL", text, _PIECES_AT)
    end = at + size
    while at < end and table[at] == 1:  # what is said of their formatting
        at += 3 + struct.unpack_from("<H", table, at + 1)[0]
    length = struct.unpack_from("<L", table, at + 1)[0]
    count = (length - 4) // 12
    places = struct.unpack_from(f"<{count + 1}L", table, at + 5)
    for number in range(count):
        offset = struct.unpack_from("<L", table, at + 5 + 4 * (count + 1) + 8 * number + 2)[0]
        width = 1 if offset & _COMPRESSED else 2
        offset = (offset & ~_COMPRESSED) // (3 - width)
        yield offset, places[number + 1] - places[number], width


def _overwrite(text: bytearray, pieces: Sequence[Piece]) -> None:
    open_fields: list[_Field] = []
    instructing: _Field | None = None  # the outermost whose instruction is being read
    for offset, count, width in pieces:
        if count < 0 or offset + count * width > len(text):
            raise ValueError("a piece lies outside of the text")
        for at in range(offset, offset + count * width, width):
            sign = text[at] if width == 1 else text[at] | text[at + 1] << 8
            if sign == _BEGIN:
                open_fields.append(_Field())
                instructing = instructing or open_fields[-1]
            elif sign in (_SEPARATOR, _END) and open_fields:
                field = open_fields[-1] if sign == _SEPARATOR else open_fields.pop()
                if field is instructing:
                    instructing = None
                    if sign == _SEPARATOR or not field.told.strip().startswith(_SHOWN):
                        field.overwrite(text)
            elif instructing is not None and sign not in _KEPT:
                instructing.read(at, width, sign)


class _Field:
    """A field whose end has not come. What stands in its instruction is read, that of fields within it, too."""

    def __init__(self) -> None:
        self.told = ""
        self._read: list[tuple[int, int]] = []

    def read(self, at: int, width: int, sign: int) -> None:
        self._read.append((at, width))
        if len(self._read) < _LONGEST_NAME:
            self.told += chr(sign)

    def overwrite(self, text: bytearray) -> None:
        for at, width in self._read:
            text[at : at + width] = _BEGIN.to_bytes(width, "little")
