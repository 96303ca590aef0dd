"""Question and passages to statements: which sentences say most about the question.

A sentence scores by four things, each from 0 to 1 and each needing no training:

- coverage: the share of the question's content that its words cover, telling words counting more. What stands
  only in its context (title, headings, the sentence or table head before it) counts half: it tells what the
  sentence is about. Beneath a heading, or behind a sentence, that asks the same as the question, the words of that
  count as its own: it is the answer in a list of questions;
- closeness: the cosine of its vector, read under its title, to the question's, between the least and the most
  close of the candidates, so that it means the same for every model;
- passage: the fused score that retrieval gave its passage;
- figure: whether it holds a number that the question lacks, when the question asks for one.

Only the `CANDIDATES` best by the three that are cheap are embedded. The weights were rounded from a
conditional logistic regression on questions about Wikipedia articles and hold within 0.005 for changes by a
third: see docs/answers.md.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from knowlog.answering.question import Question
from knowlog.answering.sentences import LONGEST, Kind, Sentence, split, token_count
from knowlog.answering.tables import head_of_row
from knowlog.retrieval import Passage
from knowlog.stores import lexemes

PASSAGES = 10
"""Passages read, best first."""
CANDIDATES = 12
"""Sentences embedded."""
CONTEXT_CREDIT = 0.5
PASSAGE_WEIGHT = 0.5
CLOSENESS_WEIGHT = 0.3
FIGURE_WEIGHT = 0.2
SAME = 0.8
"""Share of lexemes in common, of all lexemes of two sentences, from which they say the same."""

_DIGITS = re.compile(r"\d+")
_QUESTION = re.compile(r"[?？؟][\s\"'”’)\]]*$")
_END = re.compile(r"[.!。！:;,…][\s\"'”’)\]]*$")
_LONG_WORD = re.compile(r"[^\W\d_]{5,}")
_TITLE_TOKENS = 16
_LEANING = re.compile(
    r"[\"'“‘(\[]*(?:(?:However|But|And|So|Also|Thus|Then|Yet|Instead|Later|In addition|As a result),? )?"
    r"(?:he|she|it|they|this|these|that|those|such|his|her|its|their|both|here|there)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span [start, end) of a passage's text that could be quoted, and the evidence for it.

    `words` are its lexemes, `reach` those of its context too; `embeddable` is its text under title and table
    head. `missing` is the share of the question's content that is names and numbers which the passage lacks.
    `cut_before` and `cut_after`: something of the sentence stands before or after the span. `head`: of a row, what it
    stands under. `mute`: a question, a heading, or what leads to a list, which say nothing by themselves. A row may
    begin before the passage, in its lead: `start` is negative then.
    """

    passage: Passage
    start: int
    end: int
    kind: Kind
    words: frozenset[str]
    reach: frozenset[str]
    embeddable: str
    coverage: float
    context: float
    missing: float
    score: float
    similarity: float = 0.0
    cut_before: bool = False
    cut_after: bool = False
    head: str = ""
    mute: bool = False

    @property
    def quote(self) -> str:
        """The exact text of the span."""
        led = len(self.passage.lead)
        return (self.passage.lead + self.passage.text)[led + self.start : led + self.end]

    @property
    def support(self) -> float:
        """The share of the question's content that the sentence covers together with its context."""
        return self.coverage + self.context

    def overlaps(self, other: "Candidate") -> bool:
        """Tell whether both take from the same place of the same version."""
        mine, others = self.passage, other.passage
        if (mine.document_id, mine.version) != (others.document_id, others.version):
            return False
        starts, ends = mine.start + self.start, mine.start + self.end
        return starts < others.start + other.end and others.start + other.start < ends


def candidates(question: Question, passages: Sequence[Passage]) -> list[Candidate]:
    """Return the sentences most worth embedding, best first by coverage, passage and figure."""
    found: list[Candidate] = []
    for passage in passages[:PASSAGES]:
        found += _candidates_of(question, passage)
    found.sort(
        key=lambda candidate: (candidate.mute, -candidate.score, candidate.passage.start + candidate.start)
    )
    return _without_repeats(found)


def rank(found: Sequence[Candidate], similarities: NDArray[np.float32]) -> list[Candidate]:
    """Return the candidates best first, given the cosine of each to the question in the same order; what says nothing by
    itself comes behind what does.
    """
    low, high = float(similarities.min()), float(similarities.max())
    closeness = (similarities - low) / max(high - low, 1e-6)
    ranked = [
        replace(candidate, score=candidate.score + CLOSENESS_WEIGHT * float(close), similarity=float(cosine))
        for candidate, close, cosine in zip(found, closeness, similarities, strict=True)
    ]
    return sorted(ranked, key=lambda candidate: (candidate.mute, -candidate.score))


def same_statement(one: Candidate, other: Candidate) -> bool:
    """Tell whether two sentences say the same in nearly the same words."""
    together = len(one.words | other.words)
    return together > 0 and len(one.words & other.words) >= SAME * together


def _candidates_of(question: Question, passage: Passage) -> Iterator[Candidate]:
    """Yield the sentences of one passage with their cheap evidence."""
    text, led = passage.lead + passage.text, len(passage.lead)
    titles = dict.fromkeys(title for section in passage.sections for title in section.headings)
    sentences = split(text, (passage.title, *passage.headings, *titles))
    above = frozenset(lexemes(" ".join((passage.title, *passage.headings))))
    missing = question.missing(above | frozenset(lexemes(text)))
    heading: frozenset[str] = frozenset()
    answering = _the_same_asked(question, passage.headings[-1] if passage.headings else "")
    for index, sentence in enumerate(sentences):
        quoted = text[sentence.start : sentence.end]
        if sentence.kind is Kind.HEADING or _QUESTION.search(quoted):
            answering = _the_same_asked(question, quoted)
        if sentence.kind is Kind.HEADING:
            heading = frozenset(lexemes(quoted))
            continue
        if sentence.end <= led:
            continue
        before = _context_of(sentences, index)
        head = head_of_row(text, sentences, index)
        nearby = head or (text[before.start : before.end] if before else "")
        words = frozenset(lexemes(quoted))
        reach = words | above | heading | frozenset(lexemes(nearby))
        first = before if before and _leans(text, before, sentence) else sentence
        yield replace(
            _weighed(question, passage, sentence, quoted, first.start, words, reach, nearby, answering),
            missing=missing, cut_before=first.cut_before or _begins_inside(text, passage, first),
            cut_after=sentence.cut_after,
            head=nearby if sentence.kind is Kind.ROW else "",
            mute=_says_nothing(question, sentence.kind, quoted, words),
        )  # fmt: skip


def _the_same_asked(question: Question, text: str) -> frozenset[str]:
    """The lexemes of a text that asks the same in nearly the same words; none of any other text."""
    words, asked = frozenset(lexemes(text)), question.weights.keys()
    same = _QUESTION.search(text) and words and len(words & asked) >= SAME * len(words | asked)
    return words if same else frozenset()


def _says_nothing(question: Question, kind: Kind, quoted: str, words: frozenset[str]) -> bool:
    """Tell a question, a few words with a colon at their end, and a line without an end mark that is a heading: it says
    no more than the question, or all its long words have capitals.
    """
    if _QUESTION.search(quoted):
        return True
    if kind is not Kind.ROW and quoted.endswith(":"):
        return token_count(quoted) <= _TITLE_TOKENS
    if kind is Kind.ROW or _END.search(quoted) or "\n" in quoted or ": " in quoted:
        return False
    if words <= question.weights.keys():
        return True
    long_words = _LONG_WORD.findall(quoted)
    return (
        kind is Kind.PROSE
        and token_count(quoted) <= _TITLE_TOKENS
        and bool(long_words)
        and all(word[0].isupper() for word in long_words)
    )


def _begins_inside(text: str, passage: Passage, sentence: Sentence) -> bool:
    """Whether a passage begins in the middle of a sentence, which it then has the rest of."""
    at_its_start = passage.start > 0 and not text[: sentence.start].strip()
    return at_its_start and sentence.kind is Kind.PROSE and text[sentence.start].islower()


def _weighed(
    question: Question,
    passage: Passage,
    sentence: Sentence,
    quoted: str,
    start: int,
    words: frozenset[str],
    reach: frozenset[str],
    nearby: str,
    answering: frozenset[str],
) -> Candidate:
    said = words | answering
    covered = question.coverage(said)
    context = question.coverage(reach - said)
    figure = question.wants_figure and not set(_DIGITS.findall(quoted)) <= set(_DIGITS.findall(question.text))
    score = covered + CONTEXT_CREDIT * context + PASSAGE_WEIGHT * passage.score + FIGURE_WEIGHT * figure
    topic = ", ".join(dict.fromkeys((passage.title, *passage.headings[-1:])))[:200]
    lead = nearby[:200] + "\n" if sentence.kind is Kind.ROW and nearby else ""
    embeddable = f"{topic}: {lead}{quoted}" if topic else lead + quoted
    led = len(passage.lead)
    return Candidate(
        passage, start - led, sentence.end - led, sentence.kind, words, reach, embeddable, covered, context, 0.0, score,
    )  # fmt: skip


def _context_of(sentences: Sequence[Sentence], index: int) -> Sentence | None:
    """Return what a sentence stands under: a table's head, the lead of a list, else the sentence before."""
    kind = sentences[index].kind
    position = index - 1
    while position >= 0 and kind is not Kind.PROSE and sentences[position].kind is kind:
        position -= 1
    return sentences[position] if position >= 0 else None


def _leans(text: str, before: Sentence, sentence: Sentence) -> bool:
    """Tell whether a sentence opens with a pronoun for the one before, and both are short enough to quote."""
    if sentence.kind is not Kind.PROSE or before.block != sentence.block:
        return False
    if not _LEANING.match(text, sentence.start):
        return False
    return token_count(text[before.start : sentence.end]) <= LONGEST


def _without_repeats(found: Sequence[Candidate]) -> list[Candidate]:
    """Return at most CANDIDATES without those of overlapping passages: these repeat, and cut, sentences."""
    kept: list[Candidate] = []
    for candidate in found:
        others = (i for i, other in enumerate(kept) if other.passage is not candidate.passage)
        clash = next((i for i in others if candidate.overlaps(kept[i])), None)
        if clash is None:
            kept.append(candidate)
        elif len(kept[clash].quote) < len(candidate.quote):
            kept[clash] = candidate
        if len(kept) == CANDIDATES:
            break
    return kept
