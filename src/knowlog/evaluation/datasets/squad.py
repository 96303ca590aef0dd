"""SQuAD 1.1 JSON: articles, their paragraphs, questions with answer spans (Rajpurkar et al., EMNLP 2016)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from knowlog.evaluation.datasets.files import require, shaped
from knowlog.kernel.errors import Misconfigured

_FORM = 'SQuAD: {"data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers"}]}]}]}'


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph of an article; `paragraph_id` is "article/number"."""

    paragraph_id: str
    article: str
    text: str


@dataclass(frozen=True, slots=True)
class SquadQuestion:
    """A question, the paragraph that answers it, and the answers that annotators marked there. `impossible`: as SQuAD 2.0
    says of a question that the paragraph does not answer.
    """

    question_id: str
    text: str
    paragraph_id: str
    article: str
    answers: tuple[str, ...]
    impossible: bool = False


@dataclass(frozen=True, slots=True)
class SquadDataset:
    """Paragraphs and questions, in the file's order."""

    name: str
    paragraphs: tuple[Paragraph, ...]
    questions: tuple[SquadQuestion, ...]

    def without(self, articles: frozenset[str]) -> "SquadDataset":
        """The same data without the articles' paragraphs and questions."""
        return SquadDataset(
            self.name,
            tuple(each for each in self.paragraphs if each.article not in articles),
            tuple(each for each in self.questions if each.article not in articles),
        )


def load_squad(path: Path) -> SquadDataset:
    """Read a SQuAD file. Raises Misconfigured when it is missing or malformed."""
    try:
        data = orjson.loads(require(path, "a SQuAD JSON file is wanted").read_bytes())
    except ValueError as error:
        raise Misconfigured(
            f"{path} is not JSON: {error}. Check the path (of a benchmark: --data)."
        ) from error
    except OSError as error:
        raise Misconfigured(
            f"{path} cannot be read: {error.strerror}. Check the path (of a benchmark: --data)."
        ) from error
    dataset = shaped(path, _FORM, lambda: _build(path.stem, data["data"]))
    if not dataset.questions:
        raise Misconfigured(f"{path} holds no question. Check the path (of a benchmark: --data).")
    return dataset


def held_out_articles(dataset: SquadDataset, question_count: int) -> frozenset[str]:
    """Choose whole articles until at least `question_count` questions are about them: fewest questions first.

    The choice depends on nothing but the file, so that every run leaves out the same ones.
    """
    sizes: dict[str, int] = {}
    for question in dataset.questions:
        sizes[question.article] = sizes.get(question.article, 0) + 1
    chosen: set[str] = set()
    held = 0
    for article in sorted(sizes, key=lambda each: (sizes[each], each)):
        if held >= question_count:
            break
        chosen.add(article)
        held += sizes[article]
    return frozenset(chosen)


def _build(name: str, articles: list[dict[str, Any]]) -> SquadDataset:
    paragraphs: list[Paragraph] = []
    questions: list[SquadQuestion] = []
    for article in articles:
        title = str(article["title"])
        for number, paragraph in enumerate(article["paragraphs"], start=1):
            paragraph_id = f"{title}/{number}"
            paragraphs.append(Paragraph(paragraph_id, title, str(paragraph["context"])))
            questions.extend(_question(paragraph_id, title, each) for each in paragraph["qas"])
    return SquadDataset(name, tuple(paragraphs), tuple(questions))


def _question(paragraph_id: str, article: str, row: dict[str, Any]) -> SquadQuestion:
    answers = tuple(dict.fromkeys(str(each["text"]) for each in row["answers"]))
    impossible = row.get("is_impossible") is True
    return SquadQuestion(str(row["id"]), str(row["question"]), paragraph_id, article, answers, impossible)
