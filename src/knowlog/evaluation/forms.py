"""Files of questions in the forms that people have them in, read into questions."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from knowlog.evaluation.datasets.beir import load_beir
from knowlog.evaluation.datasets.files import json_lines, require
from knowlog.evaluation.datasets.squad import load_squad
from knowlog.evaluation.model import Excerpt, Question
from knowlog.kernel.errors import Misconfigured

Form = Literal["jsonl", "beir", "squad"]
_COLUMNS = ("id", "question", "answers", "documents", "excerpts", "unanswerable")
_WANTED = 'one object a line: {"id", "question"}, and as far as known "answers", "documents", "excerpts", "unanswerable"'


def read_questions(path: Path, form: Form) -> list[Question]:
    """Read a file (jsonl, squad) or folder (beir). Raises Misconfigured, naming the line or what is missing.

    BEIR's documents keep their ids, and SQuAD's paragraphs are named "article/number": ingest them under these names.
    """
    return FORMS[form](path)


def _read_jsonl(path: Path) -> list[Question]:
    require(path, f"a JSONL file is wanted, {_WANTED}")
    if path.is_dir():
        raise Misconfigured(
            f"{path} is a folder, and a JSONL file is wanted. For a BEIR folder say --form beir."
        )
    return [_question(path, number, row) for number, row in enumerate(json_lines(path), start=1)]


def _read_beir(path: Path) -> list[Question]:
    dataset = load_beir(path)
    return [
        Question(key, text, documents={d: grade for d, grade in dataset.judgements[key].items() if grade > 0})
        for key, text in dataset.questions.items()
    ]


def _read_squad(path: Path) -> list[Question]:
    return [
        Question(each.question_id, each.text, unanswerable=True)
        if each.impossible
        else Question(each.question_id, each.text, each.answers, {each.paragraph_id: 1})
        for each in load_squad(path).questions
    ]


FORMS: Mapping[Form, Callable[[Path], list[Question]]] = {
    "jsonl": _read_jsonl,
    "beir": _read_beir,
    "squad": _read_squad,
}


def _question(path: Path, number: int, row: Any) -> Question:
    if not isinstance(row, dict):
        raise _wrong(path, number, "is no object")
    if unknown := [each for each in row if each not in _COLUMNS]:
        raise _wrong(path, number, f"has a column {unknown[0]!r:.50} that is not known")
    if missing := [each for each in ("id", "question") if not _written(row.get(each))]:
        raise _wrong(path, number, f"has no {missing[0]!r}")
    try:
        return _read_row(row)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise _wrong(path, number, f"has a column of another shape ({error})") from error


def _written(value: Any) -> bool:
    """Whether something stands there; 0 does."""
    return value is not None and bool(str(value).strip())


def _read_row(row: Mapping[str, Any]) -> Question:
    documents = row.get("documents") or {}
    if not isinstance(documents, dict):
        documents = dict.fromkeys(map(_string, _list(documents)), 1)
    excerpts = tuple(
        Excerpt(_string(each["document"]), _string(each["text"])) for each in _list(row.get("excerpts"))
    )
    return Question(
        str(row["id"]), _string(row["question"]), tuple(map(_string, _list(row.get("answers")))),
        {_string(name): _grade(grade) for name, grade in documents.items()}, excerpts,
        _truth(row.get("unanswerable") or False),
    )  # fmt: skip


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"{value!r:.50} is no list")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r:.50} is neither true nor false")
    return value


def _grade(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r:.50} is no whole number")
    if value < 1:
        raise ValueError(f"{value} is no grade: they begin at 1")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.50} is no text")
    return value


def _wrong(path: Path, number: int, what: str) -> Misconfigured:
    return Misconfigured(f"{path}: question {number} {what}. Wanted is {_WANTED}.")
