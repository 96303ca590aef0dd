"""How the statements of a summary are written down."""

from collections.abc import Sequence

from knowlog.summarizing.model import Form, SummaryStatement


def rendered(statements: Sequence[SummaryStatement], form: Form) -> str:
    """Return the text: `brief` is one paragraph, `bullets` a list, `executive` the most telling sentence and a list."""
    if form == "brief":
        return " ".join(each.text for each in statements)
    if form == "bullets" or not statements:
        return _listed(statements)
    written = [each for each in statements if each.written]
    first = written[0] if written else max(statements, key=lambda each: each.score)
    rest = [each for each in statements if each is not first]
    return f"{first.text}\n\n{_listed(rest)}".strip()


def _listed(statements: Sequence[SummaryStatement]) -> str:
    return "\n".join(f"- {each.text}" for each in statements)
