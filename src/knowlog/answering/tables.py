"""The head of a table whose rows are lines that end in figures, as in the text of a PDF: the lines above the first."""

from collections.abc import Sequence

from knowlog.answering.sentences import Kind, Sentence, figures

HEAD_CHARS = 240
"""A head is no longer than this: its last lines, which name the columns."""
_LONGEST_LINE = 120
_LINES_LOOKED_AT = 6
_ENDED = (".", "!", "?")


def head_of_row(text: str, sentences: Sequence[Sentence], index: int) -> str:
    """Return what the columns of a row with figures are called, and the table; empty for other sentences, and where the
    text begins with the row.

    A table goes up as far as its lines do that are no sentence: rows, headings, and parts of lines without an end mark.
    """
    row = sentences[index]
    if row.kind is not Kind.ROW or not figures(text[row.start : row.end]):
        return ""
    first = top = index
    while top > 0 and _in_table(text, sentences[top - 1]):
        top -= 1
        if sentences[top].kind is Kind.ROW:
            first = top
    if first == top:
        return ""
    end = sentences[first - 1].end
    start = next(
        (each.start for each in sentences[top:first] if end - each.start <= HEAD_CHARS),
        sentences[first - 1].start,
    )
    return text[start:end][-HEAD_CHARS:]


def begins_in_table(text: str) -> bool:
    """Whether one of the first lines of a text is a row of a table, whose head may stand before the text."""
    return any(figures(line) for line in text.split("\n", _LINES_LOOKED_AT)[:_LINES_LOOKED_AT])


def _in_table(text: str, sentence: Sentence) -> bool:
    if sentence.kind is Kind.ROW:
        return True
    line = text[sentence.start : sentence.end]
    return len(line) <= _LONGEST_LINE and not line.rstrip().endswith(_ENDED)
