"""Datasets in the forms they are published in. None of them comes with knowlog."""

from knowlog.evaluation.datasets.beir import BeirDataset, BeirText, load_beir
from knowlog.evaluation.datasets.document_samples import SampleFile, load_document_samples
from knowlog.evaluation.datasets.excerpts import ExcerptDataset, ExcerptQuestion, load_excerpts
from knowlog.evaluation.datasets.financebench import FinanceQuestion, load_financebench
from knowlog.evaluation.datasets.ragtruth import LabelledAnswer, load_ragtruth
from knowlog.evaluation.datasets.squad import (
    Paragraph,
    SquadDataset,
    SquadQuestion,
    held_out_articles,
    load_squad,
)

__all__ = [
    "BeirDataset",
    "BeirText",
    "ExcerptDataset",
    "ExcerptQuestion",
    "FinanceQuestion",
    "LabelledAnswer",
    "Paragraph",
    "SampleFile",
    "SquadDataset",
    "SquadQuestion",
    "held_out_articles",
    "load_beir",
    "load_document_samples",
    "load_excerpts",
    "load_financebench",
    "load_ragtruth",
    "load_squad",
]
