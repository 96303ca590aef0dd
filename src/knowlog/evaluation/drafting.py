"""Drafts of questions, made from documents by rule: a sentence with a gap, and what stood there. They are synthetic.

They say how well a profile finds again what stands in the documents, in the documents' own words. People ask otherwise: a
dataset of drafts is marked as synthetic for good, and no figure of it stands for real questions.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from knowlog.evaluation.locating import DocumentText
from knowlog.evaluation.model import Excerpt, Question
from knowlog.faithfulness import split_claims

_GAP = "____"
_ANSWER = re.compile(
    r"(?<![\w.,])\d[\d.,:]*\d(?![\w])|(?<=[a-z,] )[A-Z][\w’'-]+(?: [A-Z][\w’'-]+){0,3}(?=[\s.,;])"
)
_LEAST_WORDS, _MOST_WORDS = 8, 40
_LEAST_LETTERS = 2


def draft_questions(documents: Sequence[DocumentText], count: int, seed: int) -> list[Question]:
    """Draft up to `count` questions, as evenly from the documents as they allow. The same seed gives the same drafts."""
    random = np.random.default_rng(seed)
    drawn = [documents[each] for each in random.permutation(len(documents))]
    found = [(document, _candidates(document.text, random)) for document in drawn]
    chosen: list[Question] = []
    for round_ in range(max((len(sentences) for _, sentences in found), default=0)):
        for document, sentences in found:
            if round_ < len(sentences) and len(chosen) < count:
                chosen.append(_draft(len(chosen) + 1, document, *sentences[round_]))
    return chosen


def _candidates(text: str, random: np.random.Generator) -> list[tuple[str, str]]:
    """The sentences that can be asked about, each with what is to be left out, in any order."""
    found = [(claim.text, answer) for claim in split_claims(text) for answer in _answers(claim.text)]
    return [found[each] for each in random.permutation(len(found))]


def _answers(sentence: str) -> Iterator[str]:
    if not _LEAST_WORDS <= len(sentence.split()) <= _MOST_WORDS:
        return
    answers = [each for each in _ANSWER.findall(sentence) if len(each) >= _LEAST_LETTERS]
    if answers and sentence.count(answers[0]) == 1:
        yield answers[0]


def _draft(number: int, document: DocumentText, sentence: str, answer: str) -> Question:
    asked = " ".join(sentence.replace(answer, _GAP, 1).split())
    return Question(
        f"draft-{number}", f"What is missing: {asked}", (answer,), {document.external_id: 1},
        (Excerpt(document.external_id, sentence),),
    )  # fmt: skip
