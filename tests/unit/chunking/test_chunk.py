"""Chunks: exact spans, never too long, nothing lost, cut where a reader would cut."""

import re
import time
from itertools import pairwise

import numpy as np
import pytest

from knowlog.chunking import READ_BY, STRATEGIES, ChunkingProfile, Span, chunk
from knowlog.documents.model import Heading, Page, Structure
from knowlog.kernel.errors import Invalid

SMALL = ChunkingProfile(size_tokens=16, overlap=0.25)
NO_OVERLAP = ChunkingProfile(size_tokens=16, overlap=0.0)


def words_and_marks(text: str) -> np.ndarray:
    """Every word and every other visible character is a token, as in most tokenisers' first step."""
    return np.array([match.start() for match in re.finditer(r"\w+|[^\w\s]", text)], dtype=np.int64)


def cut(text: str, profile: ChunkingProfile = SMALL, structure: Structure | None = None) -> list[str]:
    """Return the texts of the chunks."""
    return [text[span.start : span.end] for span in spans(text, profile, structure)]


def spans(text: str, profile: ChunkingProfile = SMALL, structure: Structure | None = None) -> list[Span]:
    """Return the chunks."""
    return chunk(text, profile, words_and_marks, structure or Structure())


def test_a_text_that_fits_is_one_chunk():
    """Sixteen tokens in several paragraphs stay together, without their outer white space."""
    assert cut("\n one two.\n\nthree four.\n\n") == ["one two.\n\nthree four."]


@pytest.mark.parametrize("blank", ["", " ", "\n\n\t\n", "\u3000"])
def test_a_blank_text_has_no_chunks(blank: str):
    """There is nothing to find in white space."""
    assert spans(blank) == []


def test_a_blank_line_is_a_better_place_than_a_sentence_end():
    """The cut falls between paragraphs though another sentence would fit."""
    first = "One two three four five six seven eight nine."
    assert cut(f"{first}\n\nTen eleven. Twelve thirteen fourteen fifteen sixteen.", NO_OVERLAP)[0] == first


def test_a_sentence_end_is_a_better_place_than_a_wrapped_line():
    """Lines that a program wrapped in mid-sentence are not taken for ends."""
    text = "One two three four five six seven eight nine. Ten\neleven twelve thirteen fourteen fifteen six."
    assert cut(text, NO_OVERLAP)[0].endswith("nine.")


def test_small_letters_after_a_full_stop_do_not_start_a_sentence():
    """An abbreviation in mid-sentence is no boundary."""
    text = "One two three four five six seven approx. eight nine ten. Eleven twelve thirteen fourteen fifteen"
    assert cut(text, NO_OVERLAP)[0].endswith("ten.")


def test_list_items_and_table_rows_stay_whole():
    """A cut among rows falls between two of them."""
    table = "\n".join(f"| row {number} | value |" for number in range(12))
    assert all(piece.startswith("| row") and piece.endswith("|") for piece in cut(table))


def test_a_half_full_chunk_ends_at_the_next_section():
    """A chunk does not run on into another section of the top level."""
    text = "# A\n\none two three four five six seven eight\n\n# B\n\nnine ten eleven twelve thirteen fourteen"
    structure = Structure(headings=(Heading(1, "A", 0), Heading(1, "B", text.index("# B"))))
    assert cut(text, SMALL, structure)[1].startswith("# B")


def test_a_heading_stays_with_what_follows_it():
    """No chunk ends with a heading."""
    text = "".join(
        f"## Part {number}\n\nalpha beta gamma delta epsilon zeta eta theta.\n\n" for number in range(9)
    )
    structure = Structure(
        headings=tuple(Heading(2, "Part", match.start()) for match in re.finditer("##", text))
    )
    assert all(re.match("## Part", piece) for piece in cut(text, SMALL, structure))


def test_a_page_start_is_as_good_as_a_blank_line():
    """Between two pages is a good place to cut, also where only a line end divides them."""
    first = "one two three four five six seven eight nine ten"
    text = f"{first}\neleven twelve thirteen fourteen fifteen sixteen seventeen eighteen"
    structure = Structure(pages=(Page(1, 0, len(first)), Page(2, len(first) + 1, len(text))))
    assert cut(text, NO_OVERLAP, structure)[0] == first


def test_chunks_overlap_by_whole_sentences():
    """What a chunk repeats of the one before starts where a sentence starts."""
    text = " ".join(f"Number {number} ends." for number in range(30))
    pieces = cut(text)
    assert all(piece.startswith("Number") for piece in pieces)
    assert all(second[:8] in first for first, second in pairwise(pieces))


def test_without_overlap_nothing_is_repeated():
    """Overlap 0 gives each token to one chunk."""
    found = spans(" ".join(f"Number {number} ends." for number in range(30)), NO_OVERLAP)
    assert all(second.start >= first.end for first, second in pairwise(found))


def test_text_without_spaces_is_cut_between_tokens():
    """Chinese has no spaces; sentences end it, and where there are none, any token."""
    sentence = "知识库把文件变成可以检查的答案"
    text = "".join(sentence + ("。" if number % 3 else "") for number in range(40))
    offsets = np.arange(len(text))
    found = chunk(text, SMALL, lambda _: offsets, Structure())
    assert max(span.token_count for span in found) <= 16
    assert text[found[0].start : found[-1].end] == text


def test_a_stretch_that_is_no_token_does_not_make_a_giant_chunk():
    """Tokenisers skip control characters and take any long word as one token; chunks stay small."""
    text = "a" * 50_000 + "\x01" * 50_000
    found = spans(text)
    assert max(span.end - span.start for span in found) <= 16 * 32
    assert found[-1].end == len(text)


def test_the_same_text_gives_the_same_spans():
    """Chunking has no memory and no chance in it."""
    text = "Alpha beta. Gamma delta!\n" * 50
    assert spans(text) == spans(text)


def test_a_single_huge_line_takes_time_in_step_with_its_length():
    """Ten times the text takes about ten times as long, not a hundred times."""

    def seconds(words: int) -> float:
        text = "word " * words
        offsets = np.arange(0, len(text), 5)
        start = time.perf_counter()
        chunk(text, ChunkingProfile(), lambda _: offsets, Structure())
        return time.perf_counter() - start

    seconds(1_000)
    assert seconds(1_000_000) < 40 * max(seconds(100_000), 0.01)


@pytest.mark.parametrize(
    "fields",
    [
        {"size_tokens": 15},
        {"size_tokens": 255},
        {"size_tokens": "many"},
        {"overlap": 0.5},
        {"overlap": -0.1},
        {"strategy": "magic"},
        {"colour": "red"},
    ],
)
def test_a_profile_out_of_range_is_refused_by_name(fields: dict[str, object]):
    """The sentence names the setting."""
    with pytest.raises(Invalid, match=next(iter(fields))):
        ChunkingProfile.read(fields, window_tokens=256)


def test_every_strategy_that_a_profile_may_name_exists():
    """The registry and the profile agree."""
    assert set(STRATEGIES) == set(ChunkingProfile.model_fields["strategy"].annotation.__args__)


def paged(*pages: str) -> tuple[str, Structure]:
    """Join pages as a reader of files does."""
    text, spans = "", []
    for number, page in enumerate(pages, 1):
        start = len(text) + (2 if text and page else 0)
        text += ("\n\n" if text and page else "") + page
        spans.append(Page(number, start, len(text)))
    return text, Structure(pages=tuple(spans))


@pytest.mark.parametrize("sentences", [4, 7, 9, 12, 16, 23, 31])
def test_a_page_is_begun_anew(sentences):
    """A page of half a chunk or more shares no chunk with its neighbours, and none of its chunks is tiny."""
    page = " ".join(f"Part {number} of it." for number in range(sentences)) + "\nFooter"
    text, structure = paged(page, page, page, page)
    profile = ChunkingProfile(size_tokens=40, overlap=0.2)
    found = chunk(text, profile, words_and_marks, structure)
    for span in found:
        assert len(structure.pages_within(span.start, span.end)) == 1
        assert span.token_count >= 16


def test_small_pages_share_a_chunk():
    """Slides of a few words are taken together, and cut between two of them."""
    text, structure = paged(*[f"Slide {number} says little" for number in range(40)])
    found = chunk(text, ChunkingProfile(size_tokens=40), words_and_marks, structure)
    assert all(len(structure.pages_within(span.start, span.end)) > 3 for span in found)
    assert all(text[span.start :].startswith("Slide") for span in found)


def test_a_span_knows_the_pages_that_it_touches():
    """Pages without text are none of them, and the first one begins where the span does."""
    text, structure = paged("One.", "", "Three.", "Four.")
    assert structure.pages_within(2, len(text)) == ((1, 2), (3, 6), (4, 14))
    assert structure.pages_within(0, 4) == ((1, 0),)
    assert structure.pages_within(14, 16) == ((4, 14),)
    assert Structure().pages_within(0, 4) == ()


PARTED = "\n\n".join(
    f"# Part {part}\n\n" + " ".join(f"The pump of hall {n} runs at {n * part} bar." for n in range(9))
    for part in (1, 2)
)
TWO_VALUES = {
    "overlap": (0.0, 0.4),
    "sentences": (1, 3),
    "child_tokens": (16, 32),
    "similarity": (0.1, 0.9),
    "percentile": (10.0, 90.0),
}


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - {"semantic", "cluster_semantic", "llm"}))
def test_a_strategy_reads_the_settings_that_it_is_said_to_read(name: str):
    """Others change nothing: commands refuse them, and tunings do not try them."""
    for setting, values in TWO_VALUES.items():
        cuts = [
            spans(PARTED, ChunkingProfile(strategy=name, size_tokens=40, **{"overlap": 0.0, setting: value}))
            for value in values
        ]
        assert (cuts[0] != cuts[1]) == (name in READ_BY[setting]), setting
