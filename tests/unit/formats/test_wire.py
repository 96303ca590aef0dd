"""Replies of a process that a file may have taken over are believed only as far as they can be checked."""

import json

import pytest

from knowlog.formats import Extracted, HeadingMark, Limits, PageSpan, Source, wire
from knowlog.kernel.errors import ParseFailed, UnsupportedType

LIMITS = Limits(max_chars=100, max_pages=3, max_headings=3)
GOOD = Extracted(
    "One\n\nTwo", "text/plain", (PageSpan(1, 0, 3), PageSpan(2, 5, 8)), (HeadingMark(1, "One", 0),), "T"
)


def parts(packed: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return header and blob, as the receiver has them after the lengths."""
    head, blob = packed
    return head[wire.LENGTHS.size :], blob


def test_a_reply_arrives_as_it_was_sent():
    """Text, pages, headings and title survive the border."""
    assert wire.unpack_reply(*parts(wire.pack_reply(GOOD)), LIMITS) == GOOD


def test_a_request_arrives_as_it_was_sent():
    """So do the file and its limits."""
    source = Source(b"\0\xff", "a.bin", "text/plain")
    assert wire.unpack_request(*parts(wire.pack_request(source, LIMITS))) == (source, LIMITS)


@pytest.mark.parametrize("error", [ParseFailed("Broken."), UnsupportedType("Strange.")])
def test_an_error_arrives_as_its_own_kind(error: Exception):
    """The sender's sentence and class are kept."""
    with pytest.raises(type(error), match=str(error)):
        wire.unpack_reply(*parts(wire.pack_error(error)), LIMITS)


@pytest.mark.parametrize(
    "lie",
    [
        {"pages": [[1, 0, 900]]},
        {"pages": [[1, -5, 3]]},
        {"pages": [[1, 5, 3]]},
        {"pages": [[n, 0, 0] for n in range(4)]},
        {"headings": [[1, "x", 99]]},
        {"headings": [[1, "x", 0]] * 4},
        {"headings": [["a"]]},
        {"pages": None},
    ],
)
def test_a_reply_with_offsets_outside_its_text_is_refused(lie: dict[str, object]):
    """Offsets that point elsewhere never reach the product."""
    header = json.loads(parts(wire.pack_reply(GOOD))[0]) | lie
    with pytest.raises((ValueError, TypeError)):
        wire.unpack_reply(json.dumps(header).encode(), b"One\n\nTwo", LIMITS)


@pytest.mark.parametrize("text", [b"a" * 101, b"a\0b", b"\xff\xfe"])
def test_a_reply_with_text_outside_its_limits_is_refused(text: bytes):
    """Too long, with NUL, or not UTF-8."""
    header = parts(wire.pack_reply(Extracted("", "text/plain")))[0]
    with pytest.raises(ValueError):
        wire.unpack_reply(header, text, LIMITS)
