"""What each strategy promises beside what all of them do."""

import re
import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from knowlog.chunking import STRATEGIES, ChunkingProfile, Models, Span, chunk
from knowlog.documents.model import Heading, Page, Structure
from knowlog.embedding import token_offsets
from knowlog.formats import Limits
from knowlog.formats.headings import markdown_headings
from knowlog.kernel.errors import Invalid

NOTHING = Structure()


def cut(
    text: str, structure: Structure = NOTHING, models: Models | None = None, **fields: object
) -> list[Span]:
    """Cut by word pieces, as the offline model reads."""
    profile = ChunkingProfile.model_validate(fields)
    return chunk(text, profile, token_offsets, structure, models or Models())


def texts(text: str, spans: Sequence[Span]) -> list[str]:
    return [text[span.start : span.end] for span in spans]


def structure_of(markdown: str) -> Structure:
    return Structure(headings=tuple(Heading(*mark) for mark in markdown_headings(markdown, Limits())))


def by_subject(names: Sequence[str]):
    """An embedder to whom a text is about that of the names which it has most often."""

    def embed(pieces: Sequence[str]) -> np.ndarray:
        counts = np.array([[piece.count(name) + 1e-6 for name in names] for piece in pieces])
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)

    return embed


ZOO = "".join(f"The zebra eats grass {n}. " for n in range(6)) + "".join(
    f"The piano is tuned {n}. " for n in range(6)
)


def test_fixed_chunks_are_full_but_for_the_last():
    """Every chunk but the last has within a word of the size, and no word is parted."""
    text = "alpha beta gamma " * 100
    found = cut(text, strategy="fixed", size_tokens=50)
    assert {span.token_count for span in found[:-1]} == {50}
    assert all(piece.split()[0] in {"alpha", "beta", "gamma"} for piece in texts(text, found))


def test_windows_slide_by_what_is_not_repeated():
    """Each window begins with the last quarter of the one before, in whole words."""
    text = " ".join(f"word{n}" for n in range(300))
    for first, second in pairwise(
        texts(text, cut(text, strategy="sliding_window", size_tokens=60, overlap=0.25))
    ):
        shared = first[first.index(second.split()[0]) :]
        assert second.startswith(shared)
        assert 5 <= len(token_offsets(shared)) <= 15


def test_paragraphs_are_joined_and_not_parted():
    """Each chunk holds whole paragraphs, as many as fit."""
    paragraphs = [" ".join(f"p{n}w{word}" for word in range(4)) for n in range(12)]
    text = "\n\n".join(paragraphs)
    pieces = texts(text, cut(text, strategy="paragraph", size_tokens=64))
    assert [part for piece in pieces for part in piece.split("\n\n")] == paragraphs
    assert len(pieces) < len(paragraphs)


def test_sentences_are_counted():
    """Two sentences a chunk, the second of which begins the next one where that much may be repeated."""
    text = " ".join(f"Here is sentence {n}." for n in range(10))
    pieces = texts(text, cut(text, strategy="sentence", size_tokens=16, sentences=2, overlap=0.49))
    assert pieces[:2] == [
        "Here is sentence 0. Here is sentence 1.",
        "Here is sentence 1. Here is sentence 2.",
    ]


def test_semantic_cuts_where_the_subject_changes():
    """Six sentences on zebras, six on pianos: the one cut falls between them."""
    models = Models(by_subject(["zebra", "piano"]))
    pieces = texts(ZOO, cut(ZOO, models=models, strategy="semantic", size_tokens=60, similarity=0.85))
    assert [("zebra" in piece, "piano" in piece) for piece in pieces] == [(True, False), (False, True)]


def test_semantic_by_percentile_cuts_so_many_places():
    """The least alike tenth of the places is cut, whatever the cosines are."""
    models = Models(by_subject(["zebra", "piano"]))
    found = cut(ZOO, models=models, strategy="semantic", size_tokens=60, percentile=10)
    assert 2 <= len(found) <= 3


def test_clusters_are_about_one_thing():
    """The best division keeps the two subjects apart, although both would fit into less."""
    models = Models(by_subject(["zebra", "piano"]))
    pieces = texts(ZOO, cut(ZOO, models=models, strategy="cluster_semantic", size_tokens=60))
    assert all(("zebra" in piece) != ("piano" in piece) for piece in pieces)


@pytest.mark.parametrize("name", ["semantic", "cluster_semantic", "llm"])
def test_without_its_model_a_strategy_is_refused_in_a_sentence(name):
    """It says what to do, and cuts nothing."""
    with pytest.raises(Invalid, match=r"Choose another|choose another"):
        cut(ZOO, strategy=name, size_tokens=16)


def test_children_lie_in_their_parents():
    """Each child is in the parent it names; parents of 60 tokens have several."""
    found = cut(ZOO, strategy="parent_child", size_tokens=60, child_tokens=16)
    parents = {(span.start, span.end) for span in found if span.parent is None}
    children = [span for span in found if span.parent]
    assert {span.parent for span in children} <= parents
    assert all(span.parent[0] <= span.start < span.end <= span.parent[1] for span in children)
    assert all(span.token_count <= 16 for span in children)
    assert 1 < len(parents) < len(children)


def test_children_larger_than_parents_are_refused():
    """The sentence names both sizes."""
    with pytest.raises(Invalid, match="child_tokens is 90"):
        ChunkingProfile.read({"strategy": "parent_child", "size_tokens": 60, "child_tokens": 90}, 512)


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - {"llm", "semantic", "cluster_semantic"}))
def test_whichever_strategy_cuts_a_table_its_header_stands_beside_each_chunk(name):
    """Also beside what begins inside a row; and beside nothing that is not of the table."""
    rows = "\n".join(f"| part {n} | {n} |" for n in range(40))
    table = f"| name | price |\n|---|---|\n{rows}\n"
    text = f"Prices of May.\n\n{table}\n" + "Ask sales for older lists of all of them. " * 8
    first, after_last = text.index("|---"), text.index("Ask")
    for span in cut(text, strategy=name, size_tokens=60, child_tokens=16):
        assert (span.context == ("| name | price |",)) is (first <= span.start < after_last)


def test_rows_of_a_table_are_not_parted():
    """Beside those behind the first chunk, the header stands."""
    rows = "\n".join(f"| part {n} | {n} |" for n in range(40))
    text = f"# Parts\n\n| name | price |\n|---|---|\n{rows}\n\nAll prices in May."
    found = cut(text, structure_of(text), strategy="structure", size_tokens=60)
    inside = [span for span in found if text[span.start :].startswith("| part")]
    assert len(inside) > 3
    assert {span.context for span in inside} == {("| name | price |",)}
    assert all(line.endswith("|") for span in inside for line in text[span.start : span.end].split("\n")[:2])


def test_a_section_is_a_chunk_and_small_ones_share_theirs():
    """Two sections of half a chunk stay apart; parts of one section stay with it."""
    body = "alpha beta gamma delta. " * 6
    text = f"# One\n\n{body}\n\n## Part\n\nShort.\n\n# Two\n\n{body}"
    pieces = texts(text, cut(text, structure_of(text), strategy="structure", size_tokens=50))
    assert [re.findall(r"# (\w+)", piece) for piece in pieces] == [["One", "Part"], ["Two"]]


def test_each_slide_is_a_chunk():
    """Slides that are no crumbs are not joined."""
    slides = [f"Slide {n}: " + "alpha beta gamma. " * 3 for n in range(4)]
    text = "\n\n".join(slides)
    starts = [text.index(slide) for slide in slides]
    pages = tuple(Page(n, start, start + len(slides[n])) for n, start in enumerate(starts))
    assert len(cut(text, Structure(pages), strategy="structure", size_tokens=30)) == 4


PROGRAM = '''import os


class Order:
    """An order with lines."""

    def total(self):
        """What it costs."""
        return sum(line.price * line.count for line in self.lines)

    # what the post asks
    def weight(self):
        """What it weighs."""
        return sum(line.weight * line.count for line in self.lines)


def send(order):
    """Send it."""
    return post(order.weight())
'''


@pytest.mark.parametrize("as_file", [True, False], ids=["file", "fenced"])
def test_code_is_cut_between_definitions(as_file):
    """Each method begins a chunk, with its comment, under the line of its class."""
    pytest.importorskip("tree_sitter_python", reason='not installed: pip install "knowlog[code]"')
    text = PROGRAM if as_file else f"# Code\n\n```python\n{PROGRAM}```\n"
    profile = ChunkingProfile(strategy="structure", size_tokens=32)
    media_type = "text/x-python" if as_file else "text/markdown"
    found = chunk(text, profile, token_offsets, structure_of(text), Models(), media_type)
    starts = {text[span.start :].split("\n")[0]: span.context for span in found}
    assert starts["# what the post asks"] == ("class Order:",)
    assert starts["def send(order):"] == ()


def test_code_in_a_language_without_a_grammar_is_cut_at_its_margin():
    """Blocks that begin at the margin stay whole."""
    block = "task {name}\n  alpha beta gamma\n  delta epsilon\n"
    text = "```hcl\n" + "\n".join(block.format(name=n) for n in range(8)) + "```\n"
    pieces = texts(text, cut(text, strategy="structure", size_tokens=30))
    assert len(pieces) > 2
    assert all(piece.startswith("task") for piece in pieces[1:])


@pytest.mark.parametrize(
    "deep",
    ["(" * 6000 + "1" + ")" * 6000, "a + " * 30_000 + "1", "".join(f"\n{' ' * n}if 1:" for n in range(900)) + " 1"],
    ids=["brackets", "sum", "blocks"],
)  # fmt: skip
def test_a_program_may_nest_as_deeply_as_it_likes(deep):
    """What calls itself for each level fails there, and with it the document."""
    pytest.importorskip("tree_sitter_python", reason='not installed: pip install "knowlog[code]"')
    text = f"x = 1\nif x:\n    pass\n{deep.strip()}\n" + "y = 2\n" * 50
    profile = ChunkingProfile(strategy="structure", size_tokens=32)
    found = chunk(text, profile, token_offsets, NOTHING, Models(), "text/x-python")
    assert "".join("".join(texts(text, found)).split()) == "".join(text.split())


@pytest.mark.parametrize("sign", ["\u00ad", "\u200b", "\ufeff", "\x01", "\x0c", "\ufffd"])
@pytest.mark.parametrize("name", ["fixed", "recursive", "parent_child"])
def test_signs_that_are_not_seen_make_no_chunk_too_large(name, sign):
    """The tokeniser drops them, so that what they part is one word to it: a chunk that ends there is counted anew."""
    text = sign.join(["extra", "ordi", "nary", "be", "liev", "able", "straf", "gesetz"] * 100)
    for span in cut(text, strategy=name, size_tokens=24, child_tokens=16):
        alone = len(token_offsets(text[span.start : span.end]))
        assert alone <= span.token_count <= (16 if span.parent else 24)


SIGNS = "👩‍👩‍👧 नमस्ते é 👍🏽 🇩🇪🇫🇷 שָׁלוֹם กำลัง "


@pytest.mark.parametrize("name", ["fixed", "sliding_window", "recursive", "sentence"])
def test_no_sign_is_torn(name):
    """No chunk begins with an accent, a vowel sign or half a family."""
    text = SIGNS.replace(" ", "") * 40
    for piece in texts(text, cut(text, strategy=name, size_tokens=16, overlap=0.2)):
        assert piece[0] not in "\u200d\u0301\U0001f3fd"
        assert not re.match(r"[\u0900-\u0903\u093a-\u094f\u0591-\u05c7\u0e31\u0e34-\u0e3a]", piece)


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - {"llm", "semantic", "cluster_semantic"}))
def test_a_huge_line_takes_time_in_step_with_its_length(name):
    """Ten times the characters take about ten times as long, with spaces and without."""

    def seconds(size: int) -> float:
        text = "word, and 知识 " * (size // 24) + "Zm9v" * (size // 8)
        offsets = np.arange(0, len(text), 5)
        started = time.process_time()  # what others do on the machine meanwhile is none of its time
        profile = ChunkingProfile(strategy=name)
        chunk(
            text,
            profile,
            lambda piece: offsets if len(piece) == len(text) else np.arange(0, len(piece), 5),
            NOTHING,
        )
        return time.process_time() - started

    seconds(10_000)
    assert seconds(2_000_000) < 40 * max(seconds(200_000), 0.005)


def test_the_same_profile_settles_to_the_same_fields():
    """What only other strategies read is no part of what a collection keeps."""
    assert set(ChunkingProfile(similarity=0.5).settled()) == {"strategy", "size_tokens", "overlap"}
    assert ChunkingProfile(strategy="semantic", similarity=0.5).settled()["similarity"] == 0.5
