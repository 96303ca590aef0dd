"""Question and passages to an answer of quotations."""

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from knowlog.answering.abstention import LEAST_CONFIDENCE, confidence
from knowlog.answering.contradictions import contradictions, contradicts
from knowlog.answering.extractive import Candidate, candidates, rank, same_statement
from knowlog.answering.follow_ups import follow_ups
from knowlog.answering.model import (
    NOT_IN_DOCUMENTS,
    Answer,
    Citation,
    Contradiction,
    Statement,
    cited,
)
from knowlog.answering.question import read_question, valid_question
from knowlog.answering.sentences import readable
from knowlog.answering.similarity import cosine_scale
from knowlog.embedding import Embedder
from knowlog.kernel.errors import LimitReached, Misconfigured, Unavailable
from knowlog.resilience import time_limit
from knowlog.retrieval import Passage
from knowlog.stores import TermStatistics


class Besides(NamedTuple):
    """What there is to say besides an answer's statements."""

    contradictions: tuple[Contradiction, ...]
    follow_ups: tuple[str, ...]


STATEMENTS = 3
CITATIONS = 3
"""Most citations of one statement: the best, and others that say the same elsewhere."""
SURE_SHARE = 0.95
"""Share of the best statement's score from which a further one answers too: the two are nearly tied, and of
such pairs the first alone holds the answer in less than half."""
LEAST_SHARE = 0.65
"""Share below which a further one is not even worth seeing: one in seventy of these held the answer."""
NEAREST = 3
"""Passages offered by an answer that abstains."""
EMBEDDING_S = 5.0
"""So long sentences are given to be compared by meaning; then the words decide alone."""


async def compose(
    question: str,
    passages: Sequence[Passage],
    embedder: Embedder,
    *,
    statistics: TermStatistics | None = None,
    question_vector: NDArray[np.float32] | None = None,
    least_confidence: float = LEAST_CONFIDENCE,
) -> Answer:
    """Answer a question by at most three statements, each an exact quote from the passages, or abstain.

    Those that answer come first and make the text; the others stand near the question and are marked so.
    `passages` come best first. `statistics` tell how common the question's words are in what was searched;
    without them all words count alike. `question_vector` saves embedding the question again. Raises Invalid
    for a question that is empty, too long or holds control characters. An embedder that does not answer costs
    the cosines only: then the words decide alone.
    """
    started = perf_counter()
    asked = valid_question(question)
    best, sure, blind = await _best_candidates(asked, passages, embedder, statistics, question_vector)
    statements = _statements(best) if sure >= least_confidence else ()
    return Answer(
        question=asked,
        status="answered" if statements else "not_in_documents",
        text=_joined(statements) if statements else NOT_IN_DOCUMENTS,
        statements=statements,
        confidence=sure,
        nearest=() if statements else tuple(passages[:NEAREST]),
        took_ms=(perf_counter() - started) * 1000,
        by_words_alone=blind,
        contradictions=_contradictions(best) if statements else (),
        follow_ups=follow_ups(asked, passages, statements) if statements else (),
    )


def besides(question: str, passages: Sequence[Passage], statements: Sequence[Statement]) -> Besides:
    """What there is to say besides statements that were made otherwise: contradictions, and questions to ask next."""
    found = candidates(read_question(question), passages)
    return Besides(_contradictions(found), follow_ups(question, passages, statements))


def _contradictions(found: Sequence[Candidate]) -> tuple[Contradiction, ...]:
    return tuple(
        Contradiction(each.differ_in, (_citation(each.one), _citation(each.other)))
        for each in contradictions(found)
    )


async def _best_candidates(
    question: str,
    passages: Sequence[Passage],
    embedder: Embedder,
    statistics: TermStatistics | None,
    question_vector: NDArray[np.float32] | None,
) -> tuple[list[Candidate], float, bool]:
    """Return the candidates best first, the probability that the first answers the question, and whether the words
    decided alone, because the model did not answer.
    """
    read = read_question(question, statistics)
    found = candidates(read, passages)
    if not found:
        return [], 0.0, False
    try:
        async with time_limit(EMBEDDING_S, "The embedding model"):
            vectors = await embedder.embed_documents([candidate.embeddable for candidate in found])
            asked = question_vector if question_vector is not None else await embedder.embed_query(question)
            scale = await cosine_scale(embedder)
    except (LimitReached, Misconfigured, Unavailable):
        return found, confidence(None, found[0].support, found[0].missing), True
    ranked = rank(found, vectors @ asked)
    best = ranked[0]
    return ranked, confidence(scale(best.similarity), best.support, best.missing), False


def _statements(ranked: Sequence[Candidate]) -> tuple[Statement, ...]:
    """Return the best statements; what repeats one becomes its citation, what overlaps one is dropped."""
    groups: list[list[Candidate]] = []
    for candidate in ranked:
        group = next((group for group in groups if _repeats(group[0], candidate)), None)
        if candidate.score < LEAST_SHARE * ranked[0].score:
            continue
        if any(candidate.overlaps(other) for others in groups for other in others):
            continue
        if group is None and len(groups) < STATEMENTS:
            groups.append([candidate])
        elif group is not None and len(group) < CITATIONS:
            group.append(candidate)
    return tuple(
        _statement(group, answers=_answers(group[0], groups[0][0], ranked[0].score)) for group in groups
    )


def _answers(candidate: Candidate, first: Candidate, best: float) -> bool:
    """Whether it is as good as the best; what says nothing by itself never is, but alone."""
    return candidate is first or (candidate.score >= SURE_SHARE * best and not candidate.mute)


def _repeats(one: Candidate, other: Candidate) -> bool:
    """Whether a sentence says what another does: in nearly the same words, and no other figure."""
    return same_statement(one, other) and not contradicts(one.quote, other.quote)


def _statement(group: Sequence[Candidate], *, answers: bool) -> Statement:
    """What a group of sentences says: as the best of those has it that are whole."""
    score = group[0].score
    whole_first = sorted(group, key=lambda candidate: candidate.cut_before or candidate.cut_after)
    first = whole_first[0]
    citations = tuple(_citation(candidate) for candidate in whole_first)
    return Statement(readable(first.quote, first), citations, round(score, 4), answers)


def _citation(candidate: Candidate) -> Citation:
    found = cited(candidate.passage, candidate.start, candidate.end, candidate.score)
    return replace(found, context=" ".join(candidate.head.replace("|", " ").split()) or None)


def _joined(statements: Sequence[Statement]) -> str:
    """Return the text of the answer: the statements that answer one after the other."""
    return " ".join(statement.text for statement in statements if statement.answers)
