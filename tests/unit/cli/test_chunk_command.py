"""What `knowlog chunk` shows: the text of each strategy's chunks, whole, and their sizes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from knowlog.chunking import ChunkingProfile, Span
from knowlog.cli.app import app
from knowlog.cli.bench.chunking import best
from knowlog.cli.chunk.model import Cut, as_json, pieces
from knowlog.cli.chunk.page import page
from knowlog.cli.failing import run_to_the_end
from knowlog.documents import ParsedText

COMMAND = typer.main.get_command(app)
TEXT = "One <b>two</b>.\n\nThree four. Five six."
SPANS = [Span(0, 15, 8), Span(17, 28, 3, ("| head |",)), Span(23, 38, 5)]
CUT = Cut(ChunkingProfile(size_tokens=20), SPANS, 1.0)


def test_the_page_holds_the_whole_text_and_nothing_of_it_as_markup():
    """Taking the tags away gives the text again, with the number of each chunk before it."""
    shown = page("a<script>.md", TEXT, [CUT])
    assert "<script>" not in shown
    marked = re.search(r"<pre>(.*)</pre>", shown, re.S)[1]
    text = re.sub(r"<[^>]+>", "", re.sub(r"<b>\d+</b>", "", marked))
    assert text.replace("&lt;", "<").replace("&gt;", ">") == TEXT


def test_what_two_chunks_hold_is_marked_as_that():
    """The overlap is a piece of its own."""
    assert [(piece.text, piece.holders) for piece in pieces(TEXT, SPANS, 17, 38)] == [
        ("Three ", 1),
        ("four.", 2),
        (" Five six.", 1),
    ]


def test_sizes_are_counted_in_steps_up_to_the_limit():
    """Ten steps; each chunk is in one of them."""
    assert sum(count for _, count in CUT.histogram()) == len(SPANS)
    assert CUT.histogram()[-1][0] == 20
    assert CUT.summary()["most_tokens"] == 8


def test_programs_get_exact_spans():
    """Each text is what its offsets say, with its context beside it."""
    found = as_json(ParsedText(TEXT), 16, [CUT])["strategies"][0]["spans"]
    assert all(TEXT[each["start"] : each["end"]] == each["text"] for each in found)
    assert found[1]["context"] == ["| head |"]


@pytest.mark.parametrize(
    ("figures", "winner"),
    [
        ({"a": (80.0, 8.0), "b": (85.0, 7.3), "c": (95.0, 3.0)}, "b"),
        ({"a": (80.0, 6.0), "b": (85.0, 5.0)}, "a"),
    ],
)
def test_the_best_strategy_reads_little_and_finds_much(figures, winner):
    """The highest recall among those as lean as the published best; where none is, the leanest."""
    assert best({name: {"recall": recall, "iou": iou} for name, (recall, iou) in figures.items()}) == winner


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--chunk-tokens 5", "Error: --chunk-tokens must be at least 16."),
        ("--strategy recursive,fxied", "cluster_semantic, not 'fxied'."),
        (
            "--strategy paragraph,structure --overlap 0.2",
            "--overlap changes nothing here: it is read by recursive, sliding_window, sentence alone. Name such a",
        ),
        ("--strategy semantic --similarity 0.5 --percentile 20", "--percentile instead of --similarity."),
        ("--child-tokens 40", "--child-tokens changes nothing here: it is read by parent_child alone."),
        ("--overlap 1", "--overlap must be less than 0.5 (overlap is a share of the size, such as 0.12)."),
    ],
)
def test_what_is_wrong_is_told_by_the_names_of_the_options(line, told, tmp_path, capsys):
    """There is no collection whose settings could be corrected."""
    (tmp_path / "a.txt").write_text("One.")
    assert run_to_the_end(COMMAND, ["chunk", str(tmp_path / "a.txt"), *line.split()]) == 1
    assert told in capsys.readouterr().err


def test_an_option_that_one_of_the_strategies_reads_is_taken(tmp_path, capsys):
    """The others are cut as they are without it."""
    (tmp_path / "a.txt").write_text("One.")
    line = ["--strategy", "paragraph,sentence", "--overlap", "0.2", "--sentences", "2"]
    assert run_to_the_end(COMMAND, ["chunk", str(tmp_path / "a.txt"), *line]) == 0
    assert "== sentence" in capsys.readouterr().out


def test_strategies_may_be_written_with_hyphens(tmp_path, capsys):
    """As in a sentence."""
    (tmp_path / "a.txt").write_text("One.")
    assert run_to_the_end(COMMAND, ["chunk", str(tmp_path / "a.txt"), "--strategy", "parent-child"]) == 0
    assert "== parent_child" in capsys.readouterr().out


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_what_reads_no_further_ends_it_without_a_word(options: list[str], tmp_path: Path):
    """As `head` does, which has seen enough."""
    (tmp_path / "a.txt").write_text(TEXT)
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as nobody:
        done = subprocess.run(
            [sys.executable, "-m", "knowlog", "chunk", str(tmp_path / "a.txt"), *options],
            env={**os.environ, "KNOWLOG_DATA_DIR": str(tmp_path)}, stdout=nobody, stderr=subprocess.PIPE,
            text=True, check=False, timeout=120,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
