"""The benchmark of faithfulness: how its figures are counted, and what it refuses to read."""

import gzip
import json

import pytest

from knowlog.cli.bench.faithfulness import scores
from knowlog.evaluation import LabelledAnswer, load_ragtruth
from knowlog.faithfulness import Claim, Judgement, Verdict
from knowlog.kernel.errors import Misconfigured

ROW = {"id": "1", "task_type": "QA", "query": "?", "context": "It is red.", "response": "It is blue.",
       "labels": [{"start": 6, "end": 10}]}  # fmt: skip


def _answer(task: str, wrong: bool) -> LabelledAnswer:
    return LabelledAnswer("1", task, "?", "It is red.", "It is blue.", ((6, 10),) if wrong else ())


def _judgement(faithful: bool) -> Judgement:
    label = "supported" if faithful else "unsupported"
    return Judgement(faithful, 0.5, (Verdict(Claim("It is blue.", 0, 11), label, 0.5, "", None),), "t")


def test_figures_are_of_finding_the_unsupported_answers() -> None:
    """Two of three wrong ones found, one right one called wrong: precision 2/3, recall 2/3; by task, too."""
    answers = [_answer("QA", True), _answer("QA", True), _answer("Summary", True), _answer("Summary", False)]
    found = scores(answers, [_judgement(False), _judgement(False), _judgement(True), _judgement(False)])
    assert found["f1"] == found["precision"] == found["recall"] == pytest.approx(200 / 3)
    assert (found["f1_QA"], found["f1_Summary"], found["answers"]) == (100, 0, 4)
    assert found["span_f1"] == pytest.approx(100 * 2 * 8 / (33 + 12))


def test_labelled_answers_are_read_from_gzip_and_from_text(tmp_path) -> None:
    """The same answers either way."""
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    plain.write_text(json.dumps(ROW))
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert load_ragtruth(plain) == load_ragtruth(packed) == [_answer("QA", True)]


def test_a_damaged_archive_is_named(tmp_path) -> None:
    """Wherever in it the damage is."""
    whole = gzip.compress(
        "".join(json.dumps({**ROW, "id": str(number)}) + "\n" for number in range(99)).encode()
    )
    (tmp_path / "a.jsonl.gz").write_bytes(whole[:40] + b"\xff\xff\xff\xff" + whole[44:])
    with pytest.raises(Misconfigured, match="cannot be read"):
        load_ragtruth(tmp_path / "a.jsonl.gz")


@pytest.mark.parametrize(
    ("rows", "told"),
    [([ROW, ROW], "the id 1 twice"), ([{"id": "1"}], "RAGTruth"), ([], "holds no answer"),
     ([{**ROW, "labels": [{"start": 3, "end": 2}]}], "no span")],
    ids=["twice", "columns", "empty", "span"],
)  # fmt: skip
def test_what_is_no_such_file_is_told(tmp_path, rows, told) -> None:
    """With what is wrong."""
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(Misconfigured, match=told):
        load_ragtruth(path)
