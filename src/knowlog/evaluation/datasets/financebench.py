"""FinanceBench: questions about filings, with the page that proves each answer (Islam et al., 2023)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knowlog.evaluation.datasets.files import json_lines, require, shaped
from knowlog.kernel.errors import Misconfigured

_FORM = (
    'FinanceBench: {"financebench_id", "question", "evidence": [{"doc_name", "evidence_page_num"}]} a line'
)


@dataclass(frozen=True, slots=True)
class FinanceQuestion:
    """A question and where its evidence stands: (file name without ".pdf", page number from 1)."""

    question_id: str
    text: str
    evidence: frozenset[tuple[str, int]]


def load_financebench(folder: Path) -> tuple[list[Path], list[FinanceQuestion]]:
    """Read `questions.jsonl` and `pdfs/`: the files, and the questions whose evidence is among them.

    The published page numbers count from 0; ours from 1. Raises Misconfigured when a part is missing or
    malformed.
    """
    questions_path = require(folder / "questions.jsonl", "a FinanceBench folder is wanted")
    pdfs = sorted(require(folder / "pdfs", "the filings").glob("*.pdf"))
    questions = shaped(questions_path, _FORM, lambda: [_question(row) for row in json_lines(questions_path)])
    held = {path.stem for path in pdfs}
    answerable = [each for each in questions if {name for name, _ in each.evidence} <= held]
    if not answerable:
        raise Misconfigured(
            f"{folder} holds no question about a filing in its pdfs. Check the path (of a benchmark: --data)."
        )
    return pdfs, answerable


def _question(row: dict[str, Any]) -> FinanceQuestion:
    evidence = frozenset(
        (
            str(each.get("doc_name") or row["doc_name"]),
            each["evidence_page_num"] + 1,
        )
        for each in row["evidence"]
    )
    return FinanceQuestion(str(row["financebench_id"]), str(row["question"]), evidence)
