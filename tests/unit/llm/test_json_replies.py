"""The JSON that is found in what a language model wrote."""

import time

import pytest

from knowlog.llm import json_in


@pytest.mark.parametrize(
    "reply",
    [
        '{"a": 1}',
        '```json\n{"a": 1}\n```',
        'Gladly:\n```\n{"a": 1}\n```\nIs there {more}?',
        'Here it is: {"a": 1}. Is there more?',
        '```{"a": 1}',
    ],
)
def test_json_is_found_among_fences_and_words(reply: str) -> None:
    """As models write it, also where a fence is never closed."""
    assert json_in(reply).strip() == '{"a": 1}'


@pytest.mark.parametrize("reply", ["nothing", "", "}{", "```", "```json"])
def test_what_has_none_is_left_as_it_is(reply: str) -> None:
    """Whoever reads it says what is wrong."""
    assert json_in(reply) == reply


@pytest.mark.parametrize("filler", [" ", "\n", "{", "`", "json"])
def test_a_long_reply_without_an_end_is_searched_once(filler: str) -> None:
    """One of blanks behind a fence kept the server from everything else for seconds."""
    began = time.process_time()
    json_in("```" + filler * 40_000)
    assert time.process_time() - began < 0.1
