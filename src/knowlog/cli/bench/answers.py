"""`knowlog bench answers`: whether quotations hold the answer, and absence is admitted."""

from typing import Annotated, Any

import typer

from knowlog.cli.bench.loading import COLLECTION, Text, ask_all, every, load_texts
from knowlog.cli.bench.options import Data, JsonFile, MostQuestions, OperatorKey, Url
from knowlog.cli.bench.report import Report
from knowlog.cli.bench.run import run_bench
from knowlog.cli.bench.system import System
from knowlog.evaluation import SquadDataset, SquadQuestion, answer_inside, held_out_articles, load_squad, mean
from knowlog.kernel.errors import Misconfigured

_QUOTES = 3
_DEPTH = 5

Unanswerable = Annotated[
    int,
    typer.Option(
        "--unanswerable",
        min=0,
        help="Leave whole articles out of the index, and ask so many questions on them.",
    ),
]


def answers(
    data: Data,
    unanswerable: Unanswerable = 0,
    limit: MostQuestions = None,
    url: Url = None,
    operator_key: OperatorKey = None,
    json: JsonFile = None,
) -> None:
    """Ask the questions of a SQuAD file over its paragraphs: is the answer quoted, absence admitted?"""
    whole = load_squad(data)
    left_out = held_out_articles(whole, unanswerable)
    indexed = whole.without(left_out)
    absent = every([each for each in whole.questions if each.article in left_out], unanswerable)
    if not indexed.questions or len(absent) < unanswerable:
        raise Misconfigured(
            f"{data} has too few questions to leave {unanswerable} out. Lower --unanswerable."
        )
    run_bench(
        lambda system: _measure(system, indexed, every(indexed.questions, limit), absent),
        url,
        operator_key,
        json,
    )


async def _measure(
    system: System, indexed: SquadDataset, present: list[SquadQuestion], absent: list[SquadQuestion]
) -> Report:
    texts = [
        Text(external_id=each.paragraph_id, title=each.article.replace("_", " "), text=each.text)
        for each in indexed.paragraphs
    ]
    await load_texts(system.api, texts)

    async def ask(question: SquadQuestion) -> dict[str, float]:
        answer = await _answer(system, question)
        found = await system.api.post(
            "/v1/search", {"question": question.text, "collections": [COLLECTION], "limit": _DEPTH}
        )
        return score(question, answer, [each["external_id"] for each in found["passages"]])

    async def ask_absent(question: SquadQuestion) -> float:
        return float(not (await _answer(system, question))["statements"])

    scored = await ask_all(ask, present, "Asking what is there")
    admitted = await ask_all(ask_absent, absent, "Asking what is not there") if absent else []
    metrics = {name: mean(each[name] for each in scored) for name in scored[0]}
    metrics["mean_quote_length"] = mean(
        each["mean_quote_length"] for each in scored if each["mean_quote_length"]
    )
    if absent:
        metrics["abstain_unanswerable"] = mean(admitted)
    counts = {"questions": len(present), "unanswerable": len(absent), "paragraphs": len(texts)}
    return Report({**metrics, **counts}, {"data": indexed.name, "quotes": _QUOTES})


async def _answer(system: System, question: SquadQuestion) -> dict[str, Any]:
    asked = {"question": question.text, "collections": [COLLECTION]}
    answer: dict[str, Any] = await system.api.post("/v1/answers", asked)
    return answer


def score(question: SquadQuestion, answer: dict[str, Any], paragraphs: list[str]) -> dict[str, float]:
    """The figures of one question that has an answer.

    `answer_in_text`: in a statement that is part of the answer's text; `answer_in_any`: in one of the three
    quotes shown, those marked as merely near among them. An answer that abstains quotes nothing, so it holds
    nothing.
    """
    quotes = [each["citations"][0]["quote"] for each in answer["statements"] if each["citations"]][:_QUOTES]
    inside = [answer_inside(quote, question.answers) for quote in quotes]
    in_text = [found for found, each in zip(inside, answer["statements"], strict=False) if each["answers"]]
    return {
        "answer_in_first": float(inside[:1] == [True]),
        "answer_in_text": float(any(in_text)),
        "answer_in_any": float(any(inside)),
        "statements_in_text": float(len(in_text)),
        "paragraph_recall@1": float(question.paragraph_id in paragraphs[:1]),
        "paragraph_recall@5": float(question.paragraph_id in paragraphs[:_DEPTH]),
        "abstain_answerable": float(not quotes),
        "mean_quote_length": mean(map(len, quotes)),
    }
