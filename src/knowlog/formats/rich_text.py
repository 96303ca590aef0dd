"""RTF documents (Rich Text Format 1.9.1), put so that kreuzberg reads each letter in the alphabet of its font.

It reads all bytes in the alphabet of the document, and so the Czech, Russian or Japanese ones of a document that names
Western Europe's; leaves out characters that are written in two halves; and stops at some groups that it need not know.
"""

import codecs
import re
from dataclasses import dataclass, replace

from knowlog.formats.kinds import Kind
from knowlog.formats.model import Extracted, Limits, Source
from knowlog.formats.office import read_office

_TOKEN = re.compile(
    rb"\\'(?P<hex>[0-9a-fA-F]{2})|\\(?P<word>[a-zA-Z]{1,40})(?P<number>-?\d{1,9})? ?|\\(?P<sign>[^a-zA-Z'])"
    rb"|(?P<brace>[{}])|(?P<line_end>[\r\n]+)|(?P<text>[^\\{}\r\n]+)",
    re.DOTALL,
)
_CHARSETS = {
    0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "cp950", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 255: "cp437",
}  # fmt: skip
"""The alphabets that `\\fcharset` names."""
_ALPHABETS = {b"ansi": "cp1252", b"mac": "mac_roman", b"pc": "cp437", b"pca": "cp850"}
_CODE_PAGES = {0: "cp1252", 708: "cp1256", 10000: "mac_roman", 65001: "utf-8"}
_PICTURES = frozenset((b"pict", b"objdata"))
_READ = frozenset((b"listtable", b"listoverridetable", b"fldinst", b"shpinst", b"nesttableprops", b"pn"))
"""Of the groups that readers may leave out, those that kreuzberg reads."""
_UNDERLINED = b"ul"
"""How the words begin that underline, which kreuzberg shows by marks that Markdown has for bold."""
_SIGNS = {b"~": b" ", b"_": b"-", b"-": b""}
_HALVES = range(0xD800, 0xE000)
_MOVED = 0x1000
_MOVED_HALVES = re.compile("([\ue800-\uebff])([\uec00-\uefff])")


def read_rich_text(source: Source, kind: Kind, limits: Limits) -> Extracted:
    """Read an RTF document."""
    plain = replace(source, content=_Plain().of(source.content))
    found = read_office(plain, kind, limits)
    headings = tuple(each._replace(title=_joined(each.title)) for each in found.headings)
    return replace(
        found, text=_joined(found.text), headings=headings, title=found.title and _joined(found.title)
    )


def _joined(text: str) -> str:
    """The halves of characters, which came through as characters for private use, put together."""
    return _MOVED_HALVES.sub(
        lambda halves: chr(0x10000 + (ord(halves[1]) - 0xE800) * 0x400 + ord(halves[2]) - 0xEC00), text
    )


@dataclass(slots=True)
class _Group:
    """What holds until a group ends."""

    font: int | None = None
    eastern_font: int | None = None
    is_eastern: bool = False
    replaces: int = 1
    """How many characters after `\\u` stand for it where it is not known."""
    is_font_table: bool = False
    is_shown: bool = True
    is_optional: bool = False
    is_fresh: bool = False
    """Whether nothing has come in it yet: what it is for is said first."""


class _Plain:
    """An RTF document written anew: what is not ASCII as `\\u`, without pictures and what need not be read."""

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self._alphabet = "cp1252"
        self._fonts: dict[int, str] = {}
        self._first_font: int | None = None
        self._groups = [_Group()]
        self._to_skip = 0
        self._decoder, self._decodes = codecs.getincrementaldecoder("cp1252")("replace"), "cp1252"

    def of(self, content: bytes) -> bytes:
        at = 0
        while found := _TOKEN.match(content, at) or _TOKEN.search(content, at):
            at = found.end()
            if found["word"]:
                number = None if found["number"] is None else int(found["number"])
                at += self._word(found["word"], number, found[0])
            elif found["hex"]:
                self._bytes(bytes.fromhex(found["hex"].decode()))
            elif found["text"]:
                self._bytes(found["text"])
            elif found["brace"]:
                self._brace(found["brace"])
            elif found["sign"]:
                self._sign(found["sign"], found[0])
            self._group.is_fresh = found["brace"] == b"{"
        return b"".join(self._written)

    @property
    def _group(self) -> _Group:
        return self._groups[-1]

    def _brace(self, brace: bytes) -> None:
        self._end_character()
        self._to_skip = 0
        if brace == b"{":
            self._groups.append(replace(self._group, is_optional=False))
        elif len(self._groups) > 1:
            self._groups.pop()
        self._written.append(brace)

    def _sign(self, sign: bytes, token: bytes) -> None:
        if sign == b"*":
            self._group.is_optional = self._group.is_fresh
        elif self._to_skip:
            self._to_skip -= 1
        else:
            self._end_character()
            self._write(_SIGNS.get(sign, token))

    def _word(self, word: bytes, number: int | None, token: bytes) -> int:
        """Note or write a control word. Returns how many bytes after it are no text."""
        self._end_character()
        if word == b"bin":
            return max(0, number or 0)
        if word == b"u" and number is not None:
            self._character(number & 0xFFFF)
            self._to_skip = self._group.replaces
            return 0
        self._to_skip = 0
        if self._group.is_optional:
            self._group.is_optional = False
            self._group.is_shown &= word in _READ
            token = b"\\*" + token
        if word in _PICTURES:
            self._group.is_shown = False
        if not self._noted(word, number) and not word.startswith(_UNDERLINED):
            self._write(token if token.endswith(b" ") else token + b" ")
        return 0

    def _noted(self, word: bytes, number: int | None) -> bool:
        """Note what says how bytes are read. True for a word that means nothing any more once they are."""
        group = self._group
        if word == b"uc":
            group.replaces = max(0, number or 0)
        elif word in _ALPHABETS or word == b"ansicpg":
            self._alphabet = _ALPHABETS.get(word) or _code_page(number) or self._alphabet
        elif word == b"deff":
            self._first_font = number
        elif group.is_font_table:
            self._note_font(word, number)
        else:
            self._note_use(word, number)
        group.is_font_table |= word == b"fonttbl"
        return word == b"uc"

    def _note_font(self, word: bytes, number: int | None) -> None:
        if word == b"f":
            self._group.font = number
        elif word in (b"fcharset", b"cpg") and self._group.font is not None:
            known = _CHARSETS.get(number or 0) if word == b"fcharset" else _code_page(number)
            if known is not None:
                self._fonts[self._group.font] = known

    def _note_use(self, word: bytes, number: int | None) -> None:
        if word == b"f":
            self._group.font = number
        elif word == b"af" and self._group.is_eastern:
            self._group.eastern_font = number
        elif word in (b"dbch", b"loch", b"hich"):
            self._group.is_eastern = word == b"dbch"
        elif word == b"plain":
            self._group.font, self._group.is_eastern = None, False

    def _bytes(self, given: bytes) -> None:
        skipped = min(self._to_skip, len(given))
        self._to_skip -= skipped
        given = given[skipped:]
        if not given or not self._group.is_shown:
            return
        codec = self._codec()
        if codec != self._decodes:
            self._end_character()
            self._decoder, self._decodes = codecs.getincrementaldecoder(codec)("replace"), codec
        if given.isascii() and not self._decoder.getstate()[0]:
            self._write_text(given)
        else:
            for sign in self._decoder.decode(given):
                self._character(ord(sign))

    def _codec(self) -> str:
        group = self._group
        font = group.eastern_font if group.is_eastern and group.eastern_font is not None else group.font
        return self._fonts.get(self._first_font if font is None else font, self._alphabet)  # type: ignore[arg-type]

    def _end_character(self) -> None:
        """What was begun and not ended is half a character."""
        for sign in self._decoder.decode(b"", final=True):
            self._character(ord(sign))
        self._decoder.reset()

    def _character(self, code: int) -> None:
        if code > 0xFFFF:
            self._character(0xD800 + (code - 0x10000 >> 10))
            self._character(0xDC00 + (code - 0x10000 & 0x3FF))
        elif code < 0x80:
            sign = bytes((code,))
            self._write_text(b"\\" + sign if sign in b"\\{}" else sign)
        else:
            code += _MOVED if code in _HALVES else 0
            self._write_text(b"\\u%d?" % (code if code < 0x8000 else code - 0x10000))

    def _write_text(self, text: bytes) -> None:
        """After a group, as a group: else kreuzberg puts a space between, within a word, too."""
        self._write(b"{%b}" % text if self._written[-1:] and self._written[-1].endswith(b"}") else text)

    def _write(self, token: bytes) -> None:
        if self._group.is_shown:
            self._written.append(token)


def _code_page(number: int | None) -> str | None:
    named = _CODE_PAGES.get(number or 0, f"cp{number}")
    try:
        return codecs.lookup(named).name
    except LookupError:
        return None
