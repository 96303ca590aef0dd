"""In which order the statements of a summary stand, and how they are written down."""

from collections.abc import Sequence

from knowlog.summarizing.model import Form, SummaryStatement


def ordered(statements: Sequence[SummaryStatement], form: Form) -> list[SummaryStatement]:
    """Return statements, given in reading order, as they stand in the text: in `executive` the most telling one leads."""
    if form != "executive" or not statements:
        return list(statements)
    written = [each for each in statements if each.written]
    first = written[0] if written else max(statements, key=lambda each: each.score)
    return [first, *(each for each in statements if each is not first)]


def rendered(statements: Sequence[SummaryStatement], form: Form) -> str:
    """Return the text of ordered statements: `brief` a paragraph, `bullets` a list, `executive` the first and a list."""
    if form == "brief":
        return " ".join(each.text for each in statements)
    if form == "bullets" or not statements:
        return _listed(statements)
    return f"{statements[0].text}\n\n{_listed(statements[1:])}".strip()


def _listed(statements: Sequence[SummaryStatement]) -> str:
    return "\n".join(f"- {each.text}" for each in statements)
