"""The report on a run, as JSON and as one page."""

import re
from dataclasses import replace
from xml.etree import ElementTree

from test_intervals import RUN

from knowlog.evaluation import Compared, Question, Result, compare, render_report, report_of

_EVIL = '<script src="https://evil.example/x.js"></script>'


def measured(count: int = 30) -> list[Result]:
    """Results of which the first are the worst; the first question was written by an attacker."""
    return [
        Result(
            number, f"q{number}", {"recall": number / count, "latency_ms": 5.0},
            {"question": _EVIL if number == 1 else f"Question {number}?", "truth": Question("q", "?").truth,
             "found": [], "degraded": []},
        )
        for number in range(1, count + 1)
    ]  # fmt: skip


def test_a_report_has_the_worst_twenty_questions() -> None:
    """Worst first; time is no part of what makes a question bad."""
    report = report_of(RUN, measured())
    assert [each["question_id"] for each in report["worst"]] == [f"q{number}" for number in range(1, 21)]
    assert sum(report["metrics"][0]["histogram"]["counts"]) == 30


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    """No address is called, what people wrote is text, and the plots are drawn in the page."""
    compared = Compared(RUN, compare(RUN, replace(RUN, label="B"), (measured(), measured())))
    page = render_report(report_of(RUN, measured(), compared))
    assert "<script" not in page
    assert not re.search(
        r"""(src|href)\s*=|url\(|@import""", page.replace("&quot;", "").replace(_escaped(), "")
    )
    assert len(re.findall("<svg", page)) == 2
    for plot in re.findall(r"<svg.*?</svg>", page):
        ElementTree.fromstring(plot)
    assert "No difference is shown in Recall@5" in page


def test_drafts_are_marked() -> None:
    """A report on synthetic questions says so."""
    assert '<span class="mark">synthetic</span>' in render_report(
        report_of(replace(RUN, origin="synthetic"), measured())
    )


def _escaped() -> str:
    return "&lt;script src=https://evil.example/x.js&gt;&lt;/script&gt;"
