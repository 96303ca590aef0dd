"""One metric a file: its meaning in a sentence, and its source."""

from knowlog.evaluation.metrics.answer_inside import answer_inside
from knowlog.evaluation.metrics.distribution import mean, percentile
from knowlog.evaluation.metrics.ndcg import ndcg
from knowlog.evaluation.metrics.overlap import overlap
from knowlog.evaluation.metrics.ranking import ranked
from knowlog.evaluation.metrics.recall import recall
from knowlog.evaluation.metrics.spans import precision_omega, span_iou, span_precision, span_recall
from knowlog.evaluation.metrics.word_overlap import word_overlap

__all__ = [
    "answer_inside",
    "mean",
    "ndcg",
    "overlap",
    "percentile",
    "precision_omega",
    "ranked",
    "recall",
    "span_iou",
    "span_precision",
    "span_recall",
    "word_overlap",
]
