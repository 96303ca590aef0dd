"""Files of questions: what is wrong with one is told with its line, before anything is kept."""

import json
import re

import pytest

from knowlog.evaluation import DocumentText, Question, draft_questions, read_questions
from knowlog.kernel.errors import Misconfigured

GOOD = {"id": "1", "question": "How long?", "answers": ["two years"], "documents": ["warranty.md"]}


def _file(tmp_path, *rows):
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(json.dumps(each) for each in rows))
    return path


def test_documents_may_be_graded_or_merely_named(tmp_path) -> None:
    """A list means that each of them is relevant alike."""
    graded = {
        **GOOD,
        "id": "2",
        "documents": {"warranty.md": 2},
        "excerpts": [{"document": "w", "text": "two"}],
    }
    one, two = read_questions(_file(tmp_path, GOOD, graded), "jsonl")
    assert one == Question("1", "How long?", ("two years",), {"warranty.md": 1})
    assert (two.documents, two.excerpts[0].text) == ({"warranty.md": 2}, "two")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"id": "2"}, "question 2 has no 'question'"),
        ({**GOOD, "anwsers": []}, "question 2 has a column 'anwsers' that is not known"),
        ({**GOOD, "answers": "two years"}, "'two years' is no list"),
        ({**GOOD, "excerpts": [{"text": "x"}]}, "question 2 has a column of another shape ('document')"),
        ([1], "question 2 is no object"),
        ({**GOOD, "unanswerable": "false"}, "'false' is neither true nor false"),
        ({**GOOD, "documents": {"warranty.md": 1.5}}, "1.5 is no whole number"),
        ({**GOOD, "documents": {"warranty.md": 0}}, "0 is no grade: they begin at 1"),
    ],
    ids=["missing", "unknown", "no-list", "shape", "no-object", "no-truth", "no-grade", "zero"],
)
def test_a_wrong_column_is_named_with_its_question(tmp_path, row, told) -> None:
    """And what would be right is said."""
    with pytest.raises(Misconfigured, match=re.escape(told)):
        read_questions(_file(tmp_path, GOOD, row), "jsonl")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x1f\x8b\x08\x00\xff", "line 1, is not JSON: it is no text in UTF-8. Unpack the file"),
        (b"id,question\n1,How long?", "Each line must be one JSON object"),
    ],
    ids=["packed", "csv"],
)
def test_a_file_of_another_kind_is_told_with_what_to_do(tmp_path, content, told) -> None:
    """In words of this side, not of the parser alone."""
    (tmp_path / "questions.jsonl").write_bytes(content)
    with pytest.raises(Misconfigured, match=re.escape(told)):
        read_questions(tmp_path / "questions.jsonl", "jsonl")


def test_ids_may_be_counted_from_zero(tmp_path) -> None:
    """And a file may begin with the mark that some editors write."""
    path = _file(tmp_path, {**GOOD, "id": 0, "unanswerable": None})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert [each.question_id for each in read_questions(path, "jsonl")] == ["0"]


def test_what_squad_calls_impossible_is_unanswerable(tmp_path) -> None:
    """As version 2.0 has it; the paragraph beside it is not what answers."""
    squad = {"data": [{"title": "Bridge", "paragraphs": [{"context": "Opened 1932.", "qas": [
        {"id": "s1", "question": "Who?", "answers": [], "is_impossible": True}]}]}]}  # fmt: skip
    (tmp_path / "squad.json").write_text(json.dumps(squad))
    assert read_questions(tmp_path / "squad.json", "squad") == [Question("s1", "Who?", unanswerable=True)]


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("queries.jsonl", b'{"_id": "b1", "text": "x"}\n{"_id": "b1", "text": "y"}', "has the id 'b1' twice"),
        ("corpus.jsonl", b'{"_id": "d1", "text": "x"}\n{"_id": "d1", "text": "y"}', "has the id 'd1' twice"),
        ("qrels/test.tsv", b"query-id\tcorpus-id\tscore\nb\xff1\td1\t2\n", "is not UTF-8"),
    ],
)
def test_a_damaged_beir_folder_is_named(tmp_path, file, content, told) -> None:
    """A second line of one id would silently take the place of the first."""
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d1", "text": "x"}')
    (tmp_path / "queries.jsonl").write_text('{"_id": "b1", "text": "Which?"}')
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nb1\td1\t2\n")
    (tmp_path / file).write_bytes(content)
    with pytest.raises(Misconfigured, match=told):
        read_questions(tmp_path, "beir")


def test_squad_and_beir_become_questions(tmp_path) -> None:
    """SQuAD's paragraphs are documents named after their article; BEIR's keep their ids."""
    squad = {"data": [{"title": "Bridge", "paragraphs": [{"context": "Opened 1932.", "qas": [
        {"id": "s1", "question": "When?", "answers": [{"text": "1932", "answer_start": 7}]}]}]}]}  # fmt: skip
    (tmp_path / "squad.json").write_text(json.dumps(squad))
    assert read_questions(tmp_path / "squad.json", "squad") == [
        Question("s1", "When?", ("1932",), {"Bridge/1": 1})
    ]
    beir = tmp_path / "beir"
    (beir / "qrels").mkdir(parents=True)
    (beir / "corpus.jsonl").write_text('{"_id": "d1", "text": "x"}\n{"_id": "d2", "text": "y"}')
    (beir / "queries.jsonl").write_text('{"_id": "b1", "text": "Which?"}')
    (beir / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nb1\td1\t2\nb1\td2\t0\n")
    assert read_questions(beir, "beir") == [Question("b1", "Which?", documents={"d1": 2})]


def test_drafts_ask_for_what_stands_in_the_documents() -> None:
    """Each has its answer in its excerpt, which stands in its document; the same seed gives the same drafts."""
    text = "The old bridge was opened to traffic in May 1932 by the mayor. It is red. Sydney paid for it."
    documents = [DocumentText(None, "bridge.md", "Bridge", 1, text)]  # type: ignore[arg-type]
    (draft,) = draft_questions(documents, 5, seed=1)
    assert draft.answers[0] in draft.excerpts[0].text in text
    assert draft.answers[0] not in draft.text
    assert draft_questions(documents, 5, seed=1) == [draft]
