"""The metrics that a run can have: what each says, and which way is better."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as it is shown. `quality`: a regression of it stops a gate; time and cost must be named to do so."""

    title: str
    meaning: str
    higher_is_better: bool = True
    quality: bool = True
    unit: str = ""


METRICS: dict[str, Metric] = {
    "recall": Metric("Recall@k", "share of the relevant documents among the first k"),
    "precision": Metric("Precision@k", "share of the first k that is relevant"),
    "mrr": Metric("MRR", "1 / rank of the first relevant document"),
    "map": Metric("MAP", "precision at each relevant document, averaged"),
    "ndcg": Metric("nDCG@k", "gain of the first k, early ranks counting more, of the best possible"),
    "token_recall": Metric("Excerpt recall", "share of the excerpts' text that the first k passages hold"),
    "token_precision": Metric(
        "Excerpt precision", "share of the first k passages' text that belongs to an excerpt"
    ),
    "token_iou": Metric("Excerpt IoU", "intersection over union of the first k passages and the excerpts"),
    "precision_omega": Metric(
        "Precision omega", "precision that a perfect search could reach with these chunks"
    ),
    "exact_match": Metric("Exact match", "the answer is a known one, but for case, articles and punctuation"),
    "answer_f1": Metric("Answer F1", "words that the answer shares with the nearest known one"),
    "answer_inside": Metric("Answer quoted", "a known answer stands in the answer"),
    "answer_relevance": Metric("Answer relevance", "cosine of the question and the answer's statements"),
    "faithfulness": Metric("Faithfulness", "share of the answer's claims that the passages support"),
    "citation_precision": Metric("Citation precision", "share of the citations that touch what answers"),
    "citation_recall": Metric("Citation recall", "share of what answers that is cited"),
    "abstention": Metric("Abstention", "abstained on what nothing answers, and only there"),
    "latency_ms": Metric(
        "Latency", "from question to answer", higher_is_better=False, quality=False, unit="ms"
    ),
    "context_tokens": Metric(
        "Context", "tokens of the first k passages", higher_is_better=False, quality=False, unit="tokens"
    ),
    "cost": Metric(
        "Cost", "price of having a language model read them", higher_is_better=False, quality=False
    ),
}
