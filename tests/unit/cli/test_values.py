"""What people type, read."""

import pytest
import typer

from knowlog.cli.values import address, an_id, json_object, pairs


def test_pairs_take_json_where_it_is_json() -> None:
    """Numbers stay numbers; the rest is text."""
    assert pairs(["year=2025", "team=ops", "tags=[1]", "note=a=b"]) == {
        "year": 2025, "team": "ops", "tags": [1], "note": "a=b",
    }  # fmt: skip


@pytest.mark.parametrize("wrong", ["team", "=x", ""])
def test_a_pair_needs_a_name_and_a_value(wrong: str) -> None:
    """The sentence shows the form."""
    with pytest.raises(typer.BadParameter, match="name=value"):
        pairs([wrong])


@pytest.mark.parametrize("wrong", ["{", "[1]", "word"])
def test_a_filter_is_a_json_object(wrong: str) -> None:
    """The option is named, and the form is shown."""
    with pytest.raises(typer.BadParameter, match="--filter must be a JSON object such as"):
        json_object(wrong, "--filter")


@pytest.mark.parametrize("wrong", ["", "1", "../x", "0199e1b2"])
def test_what_is_no_id_is_told_with_the_command_that_shows_ids(wrong: str) -> None:
    """Before anything is asked of a server."""
    with pytest.raises(typer.BadParameter, match="not the id of an event"):
        an_id(wrong, "an event", "knowlog events list")


def test_what_is_no_id_is_told_with_the_command_that_lists_them() -> None:
    """Which may have another name than what is listed."""
    with pytest.raises(typer.BadParameter, match=r"is not the id of a run\. `knowlog eval list`"):
        address("runs", "nonsense", listing="knowlog eval list")
