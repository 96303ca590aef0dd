"""Evaluation: datasets with known truth, and the figures computed against it."""

from knowlog.evaluation.datasets import (
    BeirDataset,
    BeirText,
    FinanceQuestion,
    Paragraph,
    SampleFile,
    SquadDataset,
    SquadQuestion,
    held_out_articles,
    load_beir,
    load_document_samples,
    load_financebench,
    load_squad,
)
from knowlog.evaluation.metrics import (
    answer_inside,
    mean,
    ndcg,
    overlap,
    percentile,
    ranked,
    recall,
    word_overlap,
)

__all__ = [
    "BeirDataset",
    "BeirText",
    "FinanceQuestion",
    "Paragraph",
    "SampleFile",
    "SquadDataset",
    "SquadQuestion",
    "answer_inside",
    "held_out_articles",
    "load_beir",
    "load_document_samples",
    "load_financebench",
    "load_squad",
    "mean",
    "ndcg",
    "overlap",
    "percentile",
    "ranked",
    "recall",
    "word_overlap",
]
