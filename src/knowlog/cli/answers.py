"""How an answer and passages look in a terminal."""

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.padding import Padding

from knowlog.cli.output import one_line, out, say, show, table

_LONGEST_QUOTE = 400
_NOTHING_THERE = (
    "No passage was found at all, near or far: `knowlog documents list` shows what is there to be asked."
)
_BELOW, _UNDER = 2, 6  # columns by which statements and their sources are set in


def show_answer(answer: dict[str, Any]) -> None:
    """Print each statement with the quotes it rests on and where they stand."""
    show_notes(answer.get("notes", ()))
    out.print(f"[bold]{escape(answer['question'])}[/bold]")
    if answer.get("standalone"):
        _print(f"[dim]understood as: {escape(answer['standalone'])}[/dim]", _BELOW)
    if not answer["statements"]:
        _print(f"[yellow]{escape(answer['text'])}[/yellow]", _BELOW)
        if answer.get("nearest") == [] and not answer.get("notes"):
            say(_NOTHING_THERE)
    near = False
    for number, statement in enumerate(answer["statements"], start=1):
        if not statement.get("answers", True) and not near:
            near = True
            _print("[dim]See also[/dim]", _BELOW)
        _print(f"[{number}] {escape(_one_line(statement['text']))}".replace("[", "\\[", 1), _BELOW)
        for citation in statement["citations"]:
            _show_citation(citation, statement["text"])
    if answer["statements"]:
        _show_besides(answer)
        out.print()
    if answer.get("answer_id"):
        say(f"Did it help? knowlog feedback give {answer['answer_id']} up, or down --correction '...'")


def _show_besides(answer: dict[str, Any]) -> None:
    """Print contradictions with both sides, and what could be asked next."""
    for each in answer.get("contradictions", ()):
        _print(f"[yellow]These contradict each other in a {each['differ_in']}:[/yellow]", _BELOW)
        for side in each["sides"]:
            _show_citation(side, "")
    for text in answer.get("unsupported", ()):
        _print(f"[yellow]The documents do not support this:[/yellow] {escape(_one_line(text))}", _BELOW)
    for question in answer.get("follow_ups", ()):
        _print(f"[dim]Next: {escape(question)}[/dim]", _BELOW)


def show_notes(notes: Sequence[str]) -> None:
    """Say what was not as it should be, beside what was found."""
    for note in notes:
        say(note)


def place(cited: dict[str, Any]) -> str:
    """Where something stands: title, page and headings."""
    pages = cited.get("pages") or [cited["page"]] if cited.get("page") else []
    cells = cited.get("cells")
    page = f"pages {pages[0]} to {pages[-1]}" if len(pages) > 1 else f"page {pages[0]}" if pages else None
    headings = " › ".join(each for each in cited.get("headings") or () if each != cited["title"])
    return ", ".join(one_line(part) for part in (cited["title"], page, headings, cells) if part)


def show_found(found: dict[str, Any], explain: bool) -> None:
    """Print the passages of a search; where an explanation was asked for, what the pattern did, too."""
    show_passages(found["passages"], explain)
    for step in found.get("steps", ()):
        told = "; ".join(f"{name}: {_told(value)}" for name, value in step["detail"].items())
        _print(f"[dim]{escape(found['pattern'])}: {escape(step['what'])} ({escape(told)})[/dim]", 0)


def _told(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def show_passages(passages: Sequence[dict[str, Any]], explain: bool) -> None:
    """Print passages as a table; with what each leg said of them where that was asked for."""
    if not passages:
        out.print("No passage was found.")
        return
    columns = ["#", ">Score", *(_LEG_COLUMNS if explain else ()), "Where", "Passage"]
    rows = [
        [
            number,
            each["score"],
            *(_legs(each) if explain else ()),
            place(each),
            _excerpt(each["text"]) + _mark(each),
        ]
        for number, each in enumerate(passages, start=1)
    ]
    show(table(columns, rows))


_LEG_COLUMNS = (">Lexical rank", ">BM25", ">Dense rank", ">Cosine")


_FLAG = "looks like instructions to a machine"


def _mark(found: dict[str, Any]) -> str:
    return f" ({_FLAG})" if found.get("flagged") else ""


def _flag(found: dict[str, Any]) -> str:
    return f"[yellow]{_mark(found)}[/yellow]" if found.get("flagged") else ""


def _legs(passage: dict[str, Any]) -> list[object]:
    cells: list[object] = []
    for name in ("lexical", "dense"):
        leg = (passage.get("legs") or {}).get(name)
        cells += [leg["rank"], leg["score"]] if leg else [None, None]
    return cells


def _show_citation(citation: dict[str, Any], statement: str) -> None:
    _print(f"[cyan]{escape(place(citation))}[/cyan]{_flag(citation)}", _UNDER)
    if citation.get("context"):
        _print(f"[dim]under “{escape(_shortened(citation['context'], _LONGEST_QUOTE))}”[/dim]", _UNDER)
    if _one_line(citation["quote"]) != _one_line(statement):
        _print(f"[dim]“{escape(_shortened(citation['quote'], _LONGEST_QUOTE))}”[/dim]", _UNDER)
    _print(
        f"[dim]{escape(one_line(citation['external_id']))}, version {citation['version']}, "
        f"characters {citation['start']} to {citation['end']}[/dim]",
        _UNDER,
    )


def _print(text: str, columns: int) -> None:
    """Print text set in by some columns: wrapped at the edge of a terminal, on one line elsewhere."""
    if out.is_terminal:
        out.print(Padding(text, (0, 0, 0, columns), expand=False), soft_wrap=False)
    else:
        out.print(" " * columns + text)


def _excerpt(text: str) -> str:
    """As much of a passage as a table in a terminal has room for; elsewhere all of it."""
    return _shortened(text, 160) if out.is_terminal else _one_line(text)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _shortened(text: str, most: int) -> str:
    line = _one_line(text)
    return line if len(line) <= most else line[: most - 1] + "…"
