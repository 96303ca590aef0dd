"""Files of Office 97, in an OLE container written sector by sector ([MS-CFB])."""

import struct

_SECTOR = 512
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_ROOT, _STREAM = 5, 2
FIELD, RESULT, FIELD_END = "\x13", "\x14", "\x15"


def ole(streams: dict[str, bytes]) -> bytes:
    """Return a container of these streams."""
    streams = dict(sorted(streams.items(), key=lambda item: (len(item[0]), item[0].upper())))
    contents = [
        content.ljust(4096, b"\0") for content in streams.values()
    ]  # smaller ones would share sectors
    sizes = [-(-len(content) // _SECTOR) for content in contents]
    directory = -(-(len(streams) + 1) // 4)
    fat = [_FAT, *_chain(1, directory)]
    starts = []
    for size in sizes:
        starts.append(len(fat))
        fat += _chain(len(fat), size)
    entries = [_entry("Root Entry", _ROOT, _END, 0, child=1)]
    for number, (name, content) in enumerate(zip(streams, contents, strict=True), start=1):
        right = number + 1 if number < len(streams) else _FREE
        entries.append(_entry(name, _STREAM, starts[number - 1], len(content), right=right))
    head = struct.pack(
        "<8s16x5H6x9L", bytes.fromhex("d0cf11e0a1b11ae1"), 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, _END, 0, _END, 0
    )  # fmt: skip
    sectors = [
        struct.pack("<128L", *fat, *[_FREE] * (128 - len(fat))),
        b"".join(entries).ljust(directory * _SECTOR, b"\0"),
        *(content.ljust(size * _SECTOR, b"\0") for content, size in zip(contents, sizes, strict=True)),
    ]
    return head + struct.pack("<109L", 0, *[_FREE] * 108) + b"".join(sectors)


def _chain(first: int, count: int) -> list[int]:
    return [*range(first + 1, first + count), _END]


def _entry(name: str, kind: int, start: int, size: int, right: int = _FREE, child: int = _FREE) -> bytes:
    spelled = name.encode("utf-16-le")
    return struct.pack(
        "<64sHBB3L16xL16xLQ", spelled, len(spelled) + 2, kind, 1, _FREE, right, child, 0, start, size
    )


def doc(*pieces: str, version: int = 0xA5EC, flags: int = 0) -> bytes:
    """Return a Word 97 document of these pieces of text, in turns of one byte and of two a character."""
    encoded = [each.encode("utf-16-le" if number % 2 else "cp1252") for number, each in enumerate(pieces)]
    text, places, described = b"", [0], b""
    for number, (piece, content) in enumerate(zip(pieces, encoded, strict=True)):
        offset = 2048 + len(text)
        described += struct.pack("<HLH", 0, offset if number % 2 else offset * 2 | 1 << 30, 0)
        text += content.ljust(-(-len(content) // 2) * 2, b"\0")
        places.append(places[-1] + len(piece))
    plan = struct.pack(f"<{len(places)}L", *places) + described
    table = bytes(16) + b"\x02" + struct.pack("<L", len(plan)) + plan
    fib = bytearray(2048)
    struct.pack_into("<HH", fib, 0, version, 0x00C1)
    struct.pack_into("<H", fib, 10, flags | 0x0200)
    struct.pack_into("<H", fib, 32, 14)  # 16-bit fields that follow, then 32-bit ones: csw, cslw, cbRgFcLcb
    struct.pack_into("<H", fib, 62, 22)
    struct.pack_into("<L", fib, 0x4C, places[-1])
    struct.pack_into("<H", fib, 152, 0x5D)
    struct.pack_into("<LL", fib, 0x01A2, 16, len(table) - 16)
    return ole({"WordDocument": bytes(fib) + text, "1Table": table})
