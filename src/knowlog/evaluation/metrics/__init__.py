"""One metric a file: its meaning in a sentence, and its source."""

from knowlog.evaluation.metrics.abstention import abstention
from knowlog.evaluation.metrics.answer_inside import answer_inside
from knowlog.evaluation.metrics.answer_match import answer_f1, exact_match
from knowlog.evaluation.metrics.answer_relevance import answer_relevance
from knowlog.evaluation.metrics.average_precision import average_precision
from knowlog.evaluation.metrics.citations import Cited, citation_precision, citation_recall
from knowlog.evaluation.metrics.cost import reading_cost
from knowlog.evaluation.metrics.distribution import mean, percentile
from knowlog.evaluation.metrics.faithful_share import faithful_share
from knowlog.evaluation.metrics.ndcg import ndcg
from knowlog.evaluation.metrics.overlap import overlap
from knowlog.evaluation.metrics.precision import precision
from knowlog.evaluation.metrics.ranking import ranked
from knowlog.evaluation.metrics.recall import recall
from knowlog.evaluation.metrics.reciprocal_rank import reciprocal_rank
from knowlog.evaluation.metrics.spans import (
    Range,
    precision_omega,
    span_iou,
    span_precision,
    span_recall,
)
from knowlog.evaluation.metrics.word_overlap import word_overlap

__all__ = [
    "Cited",
    "Range",
    "abstention",
    "answer_f1",
    "answer_inside",
    "answer_relevance",
    "average_precision",
    "citation_precision",
    "citation_recall",
    "exact_match",
    "faithful_share",
    "mean",
    "ndcg",
    "overlap",
    "percentile",
    "precision",
    "precision_omega",
    "ranked",
    "reading_cost",
    "recall",
    "reciprocal_rank",
    "span_iou",
    "span_precision",
    "span_recall",
    "word_overlap",
]
