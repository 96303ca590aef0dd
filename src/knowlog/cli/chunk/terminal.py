"""Cuts side by side in a terminal: one column a strategy, one row a paragraph, a colour for every other chunk."""

import re
from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from knowlog.cli.chunk.model import Cut, pieces
from knowlog.cli.output import out, printable, table
from knowlog.cli.output import show as show_table
from knowlog.kernel.wording import counted

_PARAGRAPH = re.compile(r"\n[ \t\r]*\n")
_STYLES = ("black on cyan", "black on yellow", "black on green", "black on magenta")
_BAR = 40


def show(text: str, cuts: Sequence[Cut]) -> None:
    """Print the text with the chunks of each strategy, and the sizes of these."""
    columns = Table(show_lines=False, expand=out.is_terminal, pad_edge=False, title_justify="left")
    for cut in cuts:
        columns.add_column(cut.name, ratio=1, overflow="fold")
    near = [_Near(cut) for cut in cuts]
    for start, end in _paragraphs(text):
        columns.add_row(*(_cell(text, each, start, end) for each in near))
    if out.is_terminal:
        out.print(columns, soft_wrap=False)
    else:
        _print_plainly(text, cuts)
    _show_sizes(cuts)


class _Near:
    """The chunks of one cut near a paragraph; paragraphs come in order, so that each chunk is looked at a few times."""

    def __init__(self, cut: Cut) -> None:
        self.spans = cut.spans
        self._first = 0

    def within(self, start: int) -> int:
        """Return the first chunk that ends behind `start`."""
        while self._first < len(self.spans) and self.spans[self._first].end <= start:
            self._first += 1
        return self._first


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for blank in _PARAGRAPH.finditer(text):
        yield start, blank.start()
        start = blank.end()
    if text[start:].strip():
        yield start, len(text)


def _cell(text: str, near: _Near, start: int, end: int) -> Text:
    first = near.within(start)
    last = first
    while last < len(near.spans) and near.spans[last].start < end:
        last += 1
    cell = Text()
    for piece in pieces(text, near.spans[first:last], start, end):
        if piece.number is None:
            cell.append(printable(piece.text))
            continue
        number = first + piece.number
        style = _STYLES[number % 2 if piece.holders < 2 else 2 + number % 2]
        if piece.begins:
            cell.append(f"[{number + 1}]", "bold reverse")
        cell.append(printable(piece.text), style)
    return cell


def _print_plainly(text: str, cuts: Sequence[Cut]) -> None:
    """Without colours: the chunks of each strategy one after the other, each under its number and size."""
    for cut in cuts:
        out.print(f"== {cut.name}", markup=False)
        for number, span in enumerate(cut.spans, 1):
            out.print(
                f"-- {number}: {counted(span.token_count, 'token')}, {span.start} to {span.end}", markup=False
            )
            for line in span.context:
                out.print(f"   under: {' '.join(printable(line).split())}", markup=False)
            out.print(printable(text[span.start : span.end]), markup=False)


def _show_sizes(cuts: Sequence[Cut]) -> None:
    summaries = [(cut.name, cut.summary()) for cut in cuts]
    names = ("chunks", "mean_tokens", "median_tokens", "least_tokens", "most_tokens", "took_ms")
    heads = ("Strategy", ">Chunks", ">Mean", ">Median", ">Least", ">Most", ">Took ms")
    show_table(table(heads, ([name, *(f"{summary[key]:g}" for key in names)] for name, summary in summaries)))
    for cut in cuts:
        counts = cut.histogram()
        most = max((count for _, count in counts), default=0) or 1
        rows = ([f"to {step}", count, "█" * round(_BAR * count / most)] for step, count in counts)
        show_table(table((f"{cut.name}, tokens", ">Chunks", ""), rows))
