"""What benchmarks compute, apart from the system that they measure."""

import json
from pathlib import Path

import pytest

from knowlog.cli.bench.answers import score as answer_score
from knowlog.cli.bench.financebench import score as page_score
from knowlog.cli.bench.loading import Text, batches, every
from knowlog.cli.bench.report import Report, check_writable, publish
from knowlog.cli.bench.retrieval import best_scores, score
from knowlog.evaluation import FinanceQuestion, SquadQuestion
from knowlog.kernel.errors import Misconfigured

QUESTION = SquadQuestion("q", "Who won?", "A/1", "A", ("Denver Broncos",))


def passage(external_id: str, fused: float, lexical: float | None, dense: float | None) -> dict[str, object]:
    """A passage as the API explains it."""
    legs = {
        name: {"rank": 1, "score": value} for name, value in (("lexical", lexical), ("dense", dense)) if value
    }
    return {"external_id": external_id, "score": fused, "legs": legs, "page": 1}


def answer(*quotes: str) -> dict[str, object]:
    """An answer of one statement for each quote; the first is its text, the others only stand near."""
    return {
        "statements": [
            {"text": quote, "citations": [{"quote": quote}], "answers": number == 0}
            for number, quote in enumerate(quotes)
        ]
    }


def test_each_leg_is_scored_by_its_own_order() -> None:
    """The fused ranking finds the relevant text second, the dense leg first, the lexical leg not at all."""
    found = [passage("x", 0.9, 5.0, 0.1), passage("a", 0.8, None, 0.9)]
    scores = score(found, {"a": 1})
    assert scores["ndcg@10"] == pytest.approx(0.6309, abs=1e-4)
    assert scores["dense_ndcg@10"] == 1.0
    assert scores["lexical_ndcg@10"] == 0.0
    assert scores["recall@100"] == 1.0


def test_a_document_counts_by_its_best_passage() -> None:
    """Two passages of one document are one document."""
    found = [passage("a", 0.2, None, None), passage("a", 0.7, None, None)]
    assert best_scores(found, lambda each: each["score"]) == {"a": 0.7}


def test_the_first_citation_and_any_of_three_are_told_apart() -> None:
    """A fourth quote does not count."""
    late = answer_score(QUESTION, answer("No.", "The Denver Broncos won."), ["B/1", "A/1"])
    assert (late["answer_in_first"], late["answer_in_text"], late["answer_in_any"]) == (0.0, 0.0, 1.0)
    assert (late["paragraph_recall@1"], late["paragraph_recall@5"]) == (0.0, 1.0)
    assert answer_score(QUESTION, answer("1", "2", "3", "Denver Broncos"), [])["answer_in_any"] == 0.0


def test_an_answer_that_abstains_holds_nothing() -> None:
    """Abstaining is counted, and never as right."""
    scores = answer_score(QUESTION, answer(), [])
    assert (scores["abstain_answerable"], scores["answer_in_any"], scores["mean_quote_length"]) == (
        1.0,
        0.0,
        0.0,
    )


def test_evidence_is_a_page_of_a_document() -> None:
    """The right page of another document does not count; a passage counts for every page that it touches."""
    question = FinanceQuestion("f", "?", frozenset({("A", 2), ("A", 9)}))
    found = [
        {"external_id": "A.pdf", "page": 1, "pages": [1, 2]},
        {"external_id": "B.pdf", "page": 9, "pages": [9]},
    ]
    scores = page_score(question, found)
    assert scores == {"page_recall@5": 0.5, "first_page_recall@5": 0.0, "document_recall@5": 1.0}


def test_batches_stay_below_what_the_server_takes() -> None:
    """By number and by size; one that is too large goes alone."""
    small = [Text(external_id=str(number), title="t", text="x") for number in range(129)]
    assert [len(batch) for batch in batches(small)] == [64, 64, 1]
    large = [Text(external_id=str(number), title="t", text="x" * 3_000_000) for number in range(3)]
    assert [len(batch) for batch in batches(large)] == [1, 1, 1]


def test_a_limit_takes_every_kth() -> None:
    """Spread over the whole, in order, the same every time."""
    assert every(range(10), 5) == [0, 2, 4, 6, 8]
    assert every(range(3), None) == every(range(3), 7) == [0, 1, 2]


def test_a_report_is_one_object(tmp_path: Path) -> None:
    """Metrics by name, settings, machine and commit."""
    publish(Report({"ndcg@10": 0.5}, {"data": "x"}), tmp_path / "out.json")
    told = json.loads((tmp_path / "out.json").read_text())
    assert set(told) == {"metrics", "settings", "machine", "commit"}
    assert told["metrics"] == {"ndcg@10": 0.5}
    assert set(told["machine"]) == {"cpu", "cores", "memory_gb", "python", "platform"}


def test_a_report_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    """Not after minutes of measuring."""
    for wrong in (tmp_path, tmp_path / "absent" / "out.json"):
        with pytest.raises(Misconfigured, match="--json"):
            check_writable(wrong)


def test_what_was_not_measured_is_no_nought(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As where no worker died in mid-work: null for programs, words for people."""
    publish(Report({"takeover_p99_s": None}, {}), tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text())["metrics"] == {"takeover_p99_s": None}
    assert "not measured" in capsys.readouterr().out
