"""What feedback tells about a question, and ids that only one asker can use."""

from typing import Any
from uuid import UUID

import pytest

from knowlog.evaluation.answer_ids import seal, unseal
from knowlog.evaluation.feedback import question_said

QUOTE = {"document": "warranty", "text": "Two years."}
KEY, ID = b"k" * 32, UUID(int=7)


def said(
    thumb: str, correction: str | None = None, answered: bool = True, cited: Any = (QUOTE,)
) -> dict[str, Any]:
    """What somebody said."""
    return {"thumb": thumb, "correction": correction, "answered": answered, "cited": list(cited)}


@pytest.mark.parametrize(
    ("opinions", "answers", "quotes", "unanswerable"),
    [
        ([said("up")], (), 1, False),
        ([said("up"), said("up")], (), 1, False),
        ([said("up"), said("down")], (), 0, False),
        ([said("down", "ten years")], ("ten years",), 0, False),
        ([said("down", "ten years"), said("down", "ten years"), said("up", "two")], ("ten years", "two"), 0, False),
        ([said("up", answered=False, cited=())], (), 0, True),
        ([said("up", answered=False, cited=()), said("down", answered=False, cited=())], (), 0, False),
        ([said("up", "two years", answered=False, cited=())], ("two years",), 0, False),
        ([said("up", cited=())], (), 0, False),
    ],
)  # fmt: skip
def test_a_question_knows_what_was_said_of_its_answers(
    opinions: list[Any], answers: tuple[str, ...], quotes: int, unanswerable: bool
) -> None:
    """Corrections as answers, quotes that most find right, and that nothing answers only where nobody knows better."""
    found = question_said("1", "How long?", opinions)
    assert (found.answers, len(found.excerpts), found.unanswerable) == (answers, quotes, unanswerable)
    assert set(found.documents) == {each.document for each in found.excerpts}


def test_an_id_proves_who_got_the_answer() -> None:
    """Under the tenant's key, and no other."""
    made = seal(KEY, "member:alice", ID)
    assert unseal(KEY, "member:alice", made) == ID
    assert unseal(KEY, "member:bob", made) is None
    assert unseal(b"x" * 32, "member:alice", made) is None
    assert [unseal(KEY, "member:alice", each) for each in ("", made[:-1], made + "0", "ä" * 64)] == [None] * 4
