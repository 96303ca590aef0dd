"""Datasets: read as published, refused by name and line when damaged."""

import json
from pathlib import Path

import pytest

from knowlog.evaluation import (
    held_out_articles,
    load_beir,
    load_document_samples,
    load_financebench,
    load_squad,
)
from knowlog.kernel.errors import Misconfigured


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    """Write a corpus of two texts, with one judged question."""
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text(
        '{"_id": "1", "title": "T", "text": "x"}\n{"_id": 2, "text": "y"}\n'
    )
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "?"}\n{"_id": "unjudged", "text": "!"}\n')
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\t1\t1\n")
    return tmp_path


def squad(path: Path) -> Path:
    """Write two articles: one with one question, one with two."""
    articles = [
        {"title": "A", "paragraphs": [paragraph("a1")]},
        {"title": "B", "paragraphs": [paragraph("b1", "b2")]},
    ]
    path.write_text(json.dumps({"data": articles}))
    return path


def paragraph(*ids: str) -> dict[str, object]:
    """One paragraph with a question for each id."""
    answers = [{"text": "word", "answer_start": 2}, {"text": "word", "answer_start": 2}]
    return {"context": "A word.", "qas": [{"id": each, "question": "?", "answers": answers} for each in ids]}


def test_only_judged_questions_are_kept(beir: Path) -> None:
    """A question without judgements cannot be scored."""
    dataset = load_beir(beir)
    assert dataset.questions == {"q": "?"}
    assert dataset.judgements == {"q": {"1": 1}}
    assert [(each.text_id, each.title) for each in dataset.corpus] == [("1", "T"), ("2", "")]


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_a_missing_file_is_named(beir: Path, name: str) -> None:
    """The sentence says which file, and which option to look at."""
    (beir / name).unlink()
    with pytest.raises(Misconfigured, match=f"{name} is missing.*--data"):
        load_beir(beir)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("corpus.jsonl", '{"_id": "1", "text": "x"}\n{', "line 2, is not JSON"),
        ("corpus.jsonl", '{"id": "1"}\n', "does not have the form"),
        ("queries.jsonl", "[1]\n", "does not have the form"),
        ("queries.jsonl", '{"_id": "z", "text": "?"}\n', "no judged question"),
        ("qrels/test.tsv", "header\nq\t1\n", "line 2"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(beir: Path, name: str, text: str, said: str) -> None:
    """A malformed line is not skipped in silence."""
    (beir / name).write_text(text)
    with pytest.raises(Misconfigured, match=said):
        load_beir(beir)


def test_squad_keeps_each_marked_answer_once(tmp_path: Path) -> None:
    """Three annotators who agree count as one answer."""
    dataset = load_squad(squad(tmp_path / "squad.json"))
    assert [each.question_id for each in dataset.questions] == ["a1", "b1", "b2"]
    assert dataset.questions[0].answers == ("word",)
    assert dataset.questions[0].paragraph_id == "A/1"


def test_held_out_articles_are_the_smallest_that_suffice(tmp_path: Path) -> None:
    """The choice is the same in every run, and nothing of them stays."""
    dataset = load_squad(squad(tmp_path / "squad.json"))
    assert held_out_articles(dataset, 1) == {"A"}
    assert held_out_articles(dataset, 2) == {"A", "B"}
    assert [each.article for each in dataset.without(frozenset({"A"})).paragraphs] == ["B"]


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"data": [{"title": "A"}]}', '{"data": []}'])
def test_a_damaged_squad_file_is_refused(tmp_path: Path, text: str) -> None:
    """Whatever is wrong, the file is named."""
    path = tmp_path / "squad.json"
    path.write_text(text)
    with pytest.raises(Misconfigured, match=r"squad\.json"):
        load_squad(path)


def test_a_folder_is_no_squad_file(tmp_path: Path) -> None:
    """The wrong kind of path is refused like any other."""
    with pytest.raises(Misconfigured, match="cannot be read"):
        load_squad(tmp_path)


def test_financebench_pages_count_from_one(tmp_path: Path) -> None:
    """Published page 59 is the 60th page; questions about absent filings are left out."""
    (tmp_path / "pdfs").mkdir()
    (tmp_path / "pdfs" / "A.pdf").touch()
    rows = [
        {"financebench_id": name, "question": "?", "evidence": [{"doc_name": name, "evidence_page_num": 59}]}
        for name in ("A", "B")
    ]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pdfs, questions = load_financebench(tmp_path)
    assert [each.name for each in pdfs] == ["A.pdf"]
    assert [each.evidence for each in questions] == [{("A", 60)}]


def test_document_samples_know_what_is_expected_and_what_is_hostile(tmp_path: Path) -> None:
    """The expected text of a.html is expected/a.html.md."""
    for name in ("samples/a.html", "samples/b.csv", "expected/a.html.md", "hostile/bomb.zip"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    files = load_document_samples(tmp_path)
    assert [(each.path.name, each.hostile, each.expected) for each in files] == [
        ("a.html", False, "expected/a.html.md"),
        ("b.csv", False, None),
        ("bomb.zip", True, None),
    ]
