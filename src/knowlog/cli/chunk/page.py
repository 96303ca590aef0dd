"""Cuts side by side as one HTML page that needs nothing else."""

from collections.abc import Sequence
from html import escape

from knowlog.cli.chunk.model import Cut, pieces
from knowlog.kernel.wording import counted

_STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 1.5rem; color: #1a1a1a; background: #fff }
main { display: grid; grid-auto-flow: column; grid-auto-columns: minmax(22rem, 1fr); gap: 1.5rem }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.5 ui-monospace, monospace }
.a { background: #d7ecff } .b { background: #ffeec2 } .o { background: #e3d3f7 }
b { font-size: 11px; background: #1a1a1a; color: #fff; border-radius: 3px; padding: 0 3px; margin-right: 2px }
td, th { padding: 0 .6rem 0 0; text-align: left; font-weight: normal }
.bar { background: #4a7fb5; height: .8em; min-width: 1px }
"""


def page(title: str, text: str, cuts: Sequence[Cut]) -> str:
    """Return the page. A chunk has a colour of its own beside its neighbours'; what two hold has a third."""
    columns = "".join(_column(text, cut) for cut in cuts)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f"<h1>{escape(title)}</h1><main>{columns}</main></html>\n"
    )


def _column(text: str, cut: Cut) -> str:
    said = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in cut.summary().items())
    most = max((count for _, count in cut.histogram()), default=0) or 1
    bars = "".join(
        f'<tr><th>to {step}<td>{count}<td style="width:60%"><div class="bar" style="width:{100 * count / most:.0f}%">'
        for step, count in cut.histogram()
    )
    marked = "".join(_marked(text, cut))
    return f"<section><h2>{escape(cut.name)}</h2><p>{escape(said)}</p><table>{bars}</table><pre>{marked}</pre></section>"


def _marked(text: str, cut: Cut) -> list[str]:
    """Return the text with its chunks marked, in steps of one chunk: each is compared with its neighbours alone."""
    found = []
    position = 0
    for number, span in enumerate(cut.spans):
        found.append(escape(text[position : span.start]))
        after = cut.spans[number + 1].start if number + 1 < len(cut.spans) else span.end
        near = cut.spans[max(0, number - 1) : number + 2]
        base = max(0, number - 1)
        for piece in pieces(text, near, max(position, span.start), min(span.end, max(after, span.start))):
            found.append(_piece(piece.text, piece.number, base, piece.holders, piece.begins, cut))
        position = min(span.end, max(after, span.start))
    return [*found, escape(text[position:])]


def _piece(text: str, number: int | None, base: int, holders: int, begins: bool, cut: Cut) -> str:
    if number is None:
        return escape(text)
    place = base + number
    kind = "o" if holders > 1 else "ab"[place % 2]
    span = cut.spans[place]
    context = f"; under {' '.join(' '.join(span.context).split())}" if span.context else ""
    said = escape(
        f"chunk {place + 1}: {counted(span.token_count, 'token')}, {span.start} to {span.end}{context}"
    )
    mark = f"<b>{place + 1}</b>" if begins else ""
    return f'{mark}<span class="{kind}" title="{said}">{escape(text)}</span>'
