"""Bytes to text in linear time: byte order mark, declared charset, UTF-8, 8-bit text as the last resort."""

import codecs
import re

from knowlog.formats.model import Limits, too_much_text

_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)
_TEXT_CODECS = re.compile(
    r"utf|ascii|iso|latin|cp\d|windows|koi|big5|gb|euc|shift|mac|hz|johab|tis", re.IGNORECASE
)
_TOLD_BY_BYTES = frozenset({"ascii", "iso8859-1", "utf-8"})
"""Many that name these send another of them, or Windows' Western text."""


def decode(content: bytes, media_type: str | None, limits: Limits) -> str:
    """Return the text of `content`, normalised; ParseFailed when it is longer than the limit."""
    if len(content) > 4 * limits.max_chars:
        raise too_much_text(limits)
    text = normalise(to_text(content, media_type))
    if len(text) > limits.max_chars:
        raise too_much_text(limits)
    return text


def normalise(text: str) -> str:
    """Return `text` with "\\n" line ends, without NUL, and with lone surrogates replaced by U+FFFD."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        text = text.replace("\0", "")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def to_text(content: bytes, media_type: str | None = None) -> str:
    """Return the characters of `content` as they are; U+FFFD for what is none."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    declared = charset_of(media_type)
    if declared and declared not in _TOLD_BY_BYTES:
        return content.decode(declared, "replace")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return _decode_without_a_hint(content)
    return _decode_without_a_hint(content) if text.count("\0") * 4 > len(text) else text


def charset_of(media_type: str | None) -> str | None:
    """Return the codec that a media type names; None where it names none, or what is no charset."""
    match = _CHARSET.search(media_type or "")
    if match is None or not _TEXT_CODECS.match(match[1]):
        return None
    try:
        return codecs.lookup(match[1]).name
    except LookupError:
        return None


def _decode_without_a_hint(content: bytes) -> str:
    head = content[:4096]
    if head.count(0) * 4 > len(head):
        encoding = "utf-16-le" if head[1::2].count(0) >= head[0::2].count(0) else "utf-16-be"
        return content.decode(encoding, "replace")
    damaged_utf8 = content.decode(errors="replace")
    bad = damaged_utf8.count("�")
    beyond_ascii = len(damaged_utf8) - len(damaged_utf8.encode("ascii", "ignore"))
    return damaged_utf8 if beyond_ascii > 2 * bad else content.decode("cp1252", "replace")
