"""Questions with the exact excerpts that answer them: read as published, or refused in a sentence."""

import csv
import json
from pathlib import Path

import pytest

from knowlog.evaluation import load_excerpts
from knowlog.kernel.errors import Misconfigured

TEXT = "The zebra eats grass.\nThe piano — a grand — is tuned in May."


def folder(
    path: Path, *rows: tuple[str, object, str], columns: str = "question,references,corpus_id"
) -> Path:
    """Write a folder with one corpus and these questions."""
    (path / "zoo.md").write_text(TEXT, "utf-8")
    with (path / "questions.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(columns.split(","))
        writer.writerows(
            (question, references if isinstance(references, str) else json.dumps(references), corpus)
            for question, references, corpus in rows
        )
    return path


def excerpt(content: str, start: int) -> dict[str, object]:
    return {"content": content, "start_index": start, "end_index": start + len(content)}


def test_excerpts_are_spans_of_their_corpus(tmp_path):
    """In code points, also behind characters of several bytes."""
    start = TEXT.index("is tuned")
    data = load_excerpts(folder(tmp_path, ("When?", [excerpt("is tuned in May", start)], "zoo")))
    assert [TEXT[slice(*span)] for span in data.questions[0].excerpts] == ["is tuned in May"]


def test_an_excerpt_that_stands_elsewhere_is_found(tmp_path):
    """Offsets that count otherwise do not spoil a question."""
    data = load_excerpts(folder(tmp_path, ("When?", [excerpt("is tuned", 1)], "zoo")))
    assert data.questions[0].excerpts == ((TEXT.index("is tuned"), TEXT.index("is tuned") + 8),)


def test_a_question_whose_answer_is_in_no_text_is_left_out_and_told(tmp_path):
    """So is one on a corpus that is not there, silently: any folder of some corpora can be given."""
    good, bad = [excerpt("zebra", 4)], [excerpt("giraffe", 4)]
    data = load_excerpts(folder(tmp_path, ("A?", good, "zoo"), ("B?", bad, "zoo"), ("C?", bad, "else")))
    assert [question.question for question in data.questions] == ["A?"]
    assert data.left_out == (2,)


@pytest.mark.parametrize(
    ("row", "columns", "said"),
    [
        (("A?", "[]", "zoo"), "question,references,corpus_id", "no text with an answer"),
        (("A?", "nonsense", "zoo"), "question,references,corpus_id", "question 1"),
        (("A?", '[{"content": "x"}]', "zoo"), "question,references,corpus_id", "start_index"),
        (("A?", "[]", "zoo"), "frage,belege,korpus", "needs the columns"),
        (("A?", [excerpt("zebra", 4)], "../zoo"), "question,references,corpus_id", "no text with an answer"),
    ],
)
def test_what_is_malformed_is_named(tmp_path, row, columns, said):
    """The sentence says which question or column, and nothing outside the folder is read."""
    with pytest.raises(Misconfigured, match=said):
        load_excerpts(folder(tmp_path, row, columns=columns))


@pytest.mark.parametrize(
    ("line", "said"),
    [(b"A?", "no text with an answer"), (b"\xff,[],zoo", "is not UTF-8"), (b'"' + b"x" * 10_000_001, "no CSV file")],
    ids=["short", "bytes", "endless"],
)  # fmt: skip
def test_a_damaged_table_is_named(tmp_path, line, said):
    """A line without all its columns has nothing in them."""
    (tmp_path / "questions.csv").write_bytes(b"question,references,corpus_id\n" + line + b"\n")
    with pytest.raises(Misconfigured, match=said):
        load_excerpts(tmp_path)


def test_a_folder_without_questions_is_refused(tmp_path):
    """The file that is missing is named."""
    with pytest.raises(Misconfigured, match=r"questions\.csv is missing"):
        load_excerpts(tmp_path)
