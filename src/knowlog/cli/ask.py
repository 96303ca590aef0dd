"""`knowlog ask`: an answer made of quotations."""

from knowlog.cli.answers import show_answer
from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Collections, Key, Url
from knowlog.cli.output import emit
from knowlog.cli.search import Question


def ask(
    question: Question,
    collection: Collections = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question by exact quotations with their sources, or say that the documents do not."""
    asked: dict[str, object] = {"question": question}
    if collection:
        asked["collections"] = collection
    with connect(url, key) as client:
        answer = client.ask("/v1/answers", asked)
    emit(answer, as_json, show_answer)
