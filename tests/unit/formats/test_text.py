"""Formats that are text already: decoded, normalised, with headings where they stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowlog.formats import Extracted, Limits, Source, detect, read
from knowlog.formats.decoding import decode, normalise
from knowlog.formats.headings import markdown_headings
from knowlog.kernel.errors import ParseFailed

LIMITS = Limits()


def extracted(content: bytes, name: str, media_type: str | None = None, limits: Limits = LIMITS) -> Extracted:
    """Detect and read a file."""
    source = Source(content, name, media_type)
    return read(source, detect(source), limits)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        ("Größe 知".encode(), None),
        ("Größe 知".encode("utf-8-sig"), None),
        ("Größe 知".encode("utf-16"), None),
        ("Größe 知".encode("utf-32"), None),
        ("Größe 知".encode("utf-16-be"), "text/plain; charset=utf-16be"),
        ("Größe 知".encode("gb18030"), 'text/plain; charset="GB18030"'),
    ],
)
def test_the_charset_is_found(content: bytes, media_type: str | None):
    """By byte order mark, by declaration, else UTF-8."""
    assert decode(content, media_type, LIMITS) == "Größe 知"


def test_bytes_that_are_not_utf_8_are_read_as_western_text():
    """A last resort that keeps old files readable."""
    assert decode("Größe und Maß".encode("latin-1"), None, LIMITS) == "Größe und Maß"


def test_a_single_western_letter_in_a_long_text_is_read():
    """However rare it is: what holds no letter of UTF-8 is no damaged UTF-8."""
    rare = "The caf\xe9 charges \xa33 for a pot of tea. " + "It opens at nine and closes at five. " * 20
    assert decode(rare.encode("cp1252"), None, LIMITS) == rare


@pytest.mark.parametrize("charset", ["us-ascii", "iso-8859-1", "utf-8"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_a_charset_that_many_name_wrongly_costs_no_letter(charset: str, encoding: str):
    """Programs send one of these with whatever they have; the bytes tell them apart."""
    said = "It said “closed”, in größter Eile."
    assert decode(said.encode(encoding), f"text/plain; charset={charset}", LIMITS) == said


def test_a_bad_byte_costs_the_other_letters_of_utf_8_nothing():
    """As where a text was cut off within a letter."""
    assert decode("Größe und Maß, überall gezählt".encode() + b"\xc3", None, LIMITS) == (
        "Größe und Maß, überall gezählt\ufffd"
    )


def test_utf_16_without_a_mark_is_recognised():
    """Every other byte of western UTF-16 is zero."""
    assert decode("A plain sentence.".encode("utf-16-le"), None, LIMITS) == "A plain sentence."


def test_a_declared_codec_that_is_no_charset_is_ignored():
    """Python knows codecs that unpack or rotate; a sender cannot choose them."""
    assert decode(b"abc", "text/plain; charset=zlib", LIMITS) == "abc"
    assert decode(b"abc", "text/plain; charset=rot13", LIMITS) == "abc"


@given(st.text(alphabet=st.characters()) | st.text(alphabet="\r\n\0a\ud800\udfff"))
def test_normalised_text_can_be_stored(text: str):
    """No carriage return, no NUL, no lone surrogate is left, and doing it twice changes nothing."""
    done = normalise(text)
    assert "\r" not in done
    assert "\0" not in done
    assert done.encode().decode() == done
    assert normalise(done) == done


def test_markdown_headings_are_found_where_they_stand():
    """Both ways of writing one; not in code, not in front matter, not for a rule between paragraphs."""
    text = (
        "---\ntitle: The Guide\n---\n# One #\n\ntext\n\n```\n# comment\n```\n\nTwo\n===\n\n"
        "para\nthat goes on\n---\n\n### **Three** [link](http://x)\n#hashtag\n\n---\n"
    )
    found = extracted(text.encode(), "guide.md")
    assert [(mark.level, mark.title) for mark in found.headings] == [
        (1, "One"),
        (1, "Two"),
        (3, "Three link"),
    ]
    assert [found.text[mark.start :][:3] for mark in found.headings] == ["# O", "Two", "###"]
    assert found.title == "The Guide"


@given(st.text(alphabet="#= -`~\nab*[]()", max_size=300))
def test_headings_lie_in_order_inside_the_text(text: str):
    """Every offset is the start of a line, or of its indentation."""
    starts = [mark.start for mark in markdown_headings(text, LIMITS)]
    assert starts == sorted(starts)
    assert all(start == 0 or text[start - 1] == "\n" for start in starts)


def test_separated_values_become_a_table():
    """Quotes, line ends in cells and pipes come out as one Markdown row per record."""
    found = extracted(b'Name;Note\n"Smith; J.";"two\nlines | pipe"\n\nLee;\n', "people.csv")
    assert found.text == "| Name | Note |\n| --- | --- |\n| Smith; J. | two lines \\| pipe |\n| Lee |  |"


def test_subtitles_keep_what_is_said():
    """Times, numbers, notes and tags go."""
    content = b"WEBVTT\n\nNOTE x\n\n1\n00:01.000 --> 00:02.000 align:left\n<v Ann>Hello <i>you</i>\nthere\n"
    assert extracted(content, "talk.vtt").text == "Hello you\nthere"


def test_more_text_than_allowed_is_refused():
    """The reason names the limit."""
    with pytest.raises(ParseFailed, match="10 characters"):
        extracted(b"a" * 11, "a.txt", limits=Limits(max_chars=10))


def test_a_file_of_white_space_is_refused():
    """There is nothing in it to find."""
    with pytest.raises(ParseFailed, match="without any text"):
        extracted(b" \n\t\n", "a.txt")
