"""Where a sentence of a language model may lead: to what it cites."""

import time
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from knowlog.answering.addresses import leads_away
from knowlog.retrieval import Passage

DOCUMENT = UUID(int=7)
PASSAGE = Passage(
    DOCUMENT, 1, "c", "https://docs.example/manual", "Manual", 0, 40, "See www.evil.test or a@evil.test.", None, (), {},
    1.0,
)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "See https://evil.test/x.", "See www.evil.test.", "Go to evil.com now.", "Write to a@evil.test.",
        "See [here](https://evil.test).", "See [here](/elsewhere).", "![x](https://docs.example/manual)",
        "![x][y]", "[y]: https://evil.test", "<img src=x>", "<a href='x'>here</a>", "Open javascript:alert(1).",
        "See 10.0.0.1:8080.", "See evil.ru/a.", "See ｅｖｉｌ.com now.", "See /v1/documents/other.",
        f"See /v1/documents/{DOCUMENT}0.", "Hidden\u202e text.", "Tagged\U000e0041.", "See ftp://evil.test.",
    ],
)  # fmt: skip
def test_elsewhere_is_refused(text: str) -> None:
    """Though the passage names the address: an attacker may have written it."""
    assert leads_away(text, [PASSAGE], "Where do I read more?")


@pytest.mark.parametrize(
    "text",
    [
        "The pump runs at 3.5 bar.", "Costs rose by 4 %, e.g. for steel (cf. p. 7).", "It lasts 24 months [1].",
        f"See /v1/documents/{DOCUMENT}/text?start=1.", "See [the manual](https://docs.example/manual).",
        "See https://docs.example/manual.", "Version 1.2.3 of report.pdf says a < b.", "می\u200cخواهم",
    ],
)  # fmt: skip
def test_what_is_cited_may_be_named(text: str) -> None:
    """A document, here or where it was fetched from; and what is no address at all."""
    assert not leads_away(text, [PASSAGE], "Where do I read more?")


def test_an_address_in_the_question_is_the_askers_own() -> None:
    """Who asks about example.com may be told of it."""
    assert not leads_away("example.com is ours.", [PASSAGE], "Whose is example.com?")
    assert leads_away("example.com is ours.", [PASSAGE], "Whose is it?")


def test_another_document_is_elsewhere() -> None:
    """What was fetched from an address may be named only where it is cited."""
    other: Any = replace(PASSAGE, external_id="manual.pdf")
    assert leads_away("See https://docs.example/manual.", [other], "?")


@pytest.mark.parametrize("label", ["a.", "1.", "a.-", "co-", "a@a."])
def test_a_long_chain_of_labels_is_not_read_for_long(label: str) -> None:
    """One of a thousand characters took half a second, twice for each statement, in which nobody else was served."""
    began = time.process_time()
    leads_away((label * 1000)[:999], [PASSAGE], "?")
    assert time.process_time() - began < 0.1


def test_a_number_with_many_parts_is_no_address() -> None:
    """As registers have them."""
    assert not leads_away("Its number is 1.3.6.1.4.1.311.21.8.1.2.3.", [PASSAGE], "?")
