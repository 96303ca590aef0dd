"""Texts, questions, and which texts answer them: one form for data of several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from knowlog.cli.bench.loading import Text
from knowlog.evaluation import BeirDataset, SquadDataset, load_beir, load_squad
from knowlog.kernel.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Judged:
    """Questions by id, and the relevance of texts to each, by external id."""

    name: str
    texts: Sequence[Text]
    questions: Mapping[str, str]
    judgements: Mapping[str, Mapping[str, int]]


def load_judged(path: Path) -> Judged:
    """Read a folder in BEIR's form, or SQuAD: a JSON file, or a folder with one. Raises Misconfigured."""
    if (path / "corpus.jsonl").exists():
        return judged_beir(load_beir(path))
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if len(files) != 1:
        raise Misconfigured(
            f"{path} holds {len(files)} JSON files and no corpus.jsonl: one SQuAD file or a folder in BEIR's form is"
            " wanted. Check --data."
        )
    return _judged_squad(load_squad(files[0]))


def judged_beir(dataset: BeirDataset) -> Judged:
    """The corpus as documents, and what people judged relevant."""
    return Judged(dataset.name, beir_texts(dataset), dataset.questions, dataset.judgements)


def beir_texts(dataset: BeirDataset) -> list[Text]:
    """The corpus as documents: title and text as one text, and the title as the document's own."""
    return [
        Text(
            external_id=each.text_id,
            title=each.title or each.text_id,
            text=f"{each.title}\n\n{each.text}".strip(),
        )
        for each in dataset.corpus
        if each.title.strip() or each.text.strip()
    ]


def _judged_squad(dataset: SquadDataset) -> Judged:
    """Each paragraph is a document; the one that a question was asked of is relevant to it."""
    texts = [
        Text(external_id=each.paragraph_id, title=each.article.replace("_", " "), text=each.text)
        for each in dataset.paragraphs
    ]
    questions = {each.question_id: each.text for each in dataset.questions}
    return Judged(
        dataset.name,
        texts,
        questions,
        {each.question_id: {each.paragraph_id: 1} for each in dataset.questions},
    )
