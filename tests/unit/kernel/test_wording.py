"""What is wrong with a value, in words for a person."""

from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from knowlog.kernel.wording import counted, wrong_with


class Form(BaseModel):
    """One field of each kind that the API and the settings have."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=3)] = "x"
    size: Annotated[int, Field(ge=16, le=1000)] = 16
    share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    role: Literal["reader", "owner"] = "reader"
    once: bool = False
    ends: AwareDatetime | None = None
    which: UUID | None = None
    labels: Annotated[list[str], Field(min_length=1, max_length=2)] = ["a"]
    kept: dict[str, Any] = {}
    token: Annotated[SecretStr | None, Field(min_length=20)] = None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"name": ""}, "must not be empty"),
        ({"name": "long name"}, "must have at most 3 characters"),
        ({"name": 7}, "must be text"),
        ({"size": 1}, "must be at least 16"),
        ({"size": 5000}, "must be at most 1,000"),
        ({"size": "many"}, "must be a whole number"),
        ({"size": 20.5}, "must be a whole number"),
        ({"share": 0.5}, "must be less than 0.5"),
        ({"share": 0}, "must be more than 0"),
        ({"role": "king"}, "must be one of reader or owner"),
        ({"once": "perhaps"}, "must be true or false"),
        ({"ends": "tomorrow"}, "must be a moment such as 2027-01-31T00:00:00Z"),
        ({"ends": "2027-01-31T00:00:00"}, "must name its time zone, as in 2027-01-31T00:00:00Z"),
        ({"which": "me"}, "must be an id, such as 0199e1b2-c3d4-7f0e-8a7b-6c5d4e3f2a1b"),
        ({"labels": []}, "must not be empty"),
        ({"labels": ["a", "b", "c"]}, "must have at most 2 entries"),
        ({"kept": [1]}, "must be a JSON object"),
        ({"token": "short"}, "must have at least 20 characters"),
        ({"nmae": "x"}, "is not known here; check its spelling"),
    ],
)  # fmt: skip
def test_a_validators_finding_is_said_plainly(value: dict[str, Any], words: str) -> None:
    """Each continues a sentence that begins with the value's name."""
    with pytest.raises(ValidationError) as caught:
        Form.model_validate(value)
    assert wrong_with(caught.value.errors()[0]) == words


def test_what_has_no_words_yet_is_not_left_in_a_validators() -> None:
    """The fallback takes the commonest phrase away."""
    assert (
        wrong_with({"type": "new_kind", "msg": "Input should be a valid colour"}) == "must be a valid colour"
    )
    assert (
        wrong_with({"type": "value_error", "msg": "Value error, must not hold NUL."}) == "must not hold NUL"
    )


@pytest.mark.parametrize(
    ("number", "what", "words"),
    [
        (1, "document", "1 document"),
        (0, "document", "0 documents"),
        (1_200, "document", "1,200 documents"),
        (2, "delivery", "2 deliveries"),
        (2, "search", "2 searches"),
        (2, "key", "2 keys"),
        (2, "token of language models", "2 tokens of language models"),
    ],
)
def test_what_is_counted_is_one_or_many(number: int, what: str, words: str) -> None:
    """Nobody reads "1 documents"."""
    assert counted(number, what) == words
