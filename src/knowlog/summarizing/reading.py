"""A document's text to sentences that can be quoted, each with its citation."""

import re
from dataclasses import dataclass
from uuid import UUID

from knowlog.answering import Citation, Kind, Sentence, readable, split
from knowlog.documents import Structure
from knowlog.summarizing.model import Quotable, words

_SHORTEST, _LONGEST = 4, 120
"""Words of a sentence that says something by itself."""
_ENDED = re.compile(r"[.!?…。！？][\"'”’)\]]*$")
_LEANING = re.compile(
    r"[\"'“‘(\[]*(?:(?:However|But|And|So|Also|Thus|Then|Yet|Instead|Later|In addition|As a result),? )?"
    r"(?:he|she|it|they|this|these|that|those|such|his|her|its|their|both|here|there)\b",
    re.IGNORECASE,
)
_PART, _LEANS = 0.6, 0.8


@dataclass(frozen=True, slots=True)
class Source:
    """A version of a document as a citation names it."""

    document_id: UUID
    version: int
    collection: str
    external_id: str
    title: str


def quotables(text: str, source: Source, structure: Structure) -> list[Quotable]:
    """Return the sentences of a text that a summary may quote, in reading order, each text once.

    Headings are left out, and rows of tables, fragments and what has hardly a word, as long as there is anything else.
    """
    found = [
        each
        for each in split(text, [heading.title for heading in structure.headings])
        if each.kind is not Kind.HEADING
    ]
    telling = [each for each in found if _tells(text, each)]
    once = {text[each.start : each.end]: each for each in reversed(telling or found)}
    return [
        _quotable(text, each, source, structure)
        for each in sorted(once.values(), key=lambda each: each.start)
    ]


def _tells(text: str, sentence: Sentence) -> bool:
    quote = text[sentence.start : sentence.end]
    if not _SHORTEST <= words(quote) <= _LONGEST or "|" in quote or "\t" in quote:
        return False
    return sentence.kind is Kind.ITEM or _ENDED.search(quote) is not None or sentence.cut_after


def _quotable(text: str, sentence: Sentence, source: Source, structure: Structure) -> Quotable:
    start, end = sentence.start, sentence.end
    quote = text[start:end]
    citation = Citation(
        quote, source.document_id, source.version, source.collection, source.external_id, source.title, start, end,
        tuple(page.number for page in structure.pages_within(start, end)), structure.headings_at(start), 1.0,
    )  # fmt: skip
    part = _PART if sentence.cut_before or sentence.cut_after else 1.0
    leans = _LEANS if _LEANING.match(quote) else 1.0
    return Quotable(readable(quote, sentence), citation, start / max(1, len(text)), part * leans)
