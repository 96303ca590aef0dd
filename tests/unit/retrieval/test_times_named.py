"""The time that a question names."""

from datetime import date

import pytest

from knowlog.retrieval.patterns.filtered import choices_in
from knowlog.retrieval.times import period_in

TODAY = date(2026, 1, 15)


@pytest.mark.parametrize(
    ("question", "start", "end"),
    [
        ("sales in the 2023 report", "2023-01-01", "2024-01-01"),
        ("what changed since March 2022?", "2022-03-01", "9999-01-01"),
        ("what changed after 2022?", "2023-01-01", "9999-01-01"),
        ("orders before 2022-05-03", "0001-01-01", "2022-05-03"),
        ("until Sept. 2021", "0001-01-01", "2021-10-01"),
        ("costs between 2019 and 2021", "2019-01-01", "2022-01-01"),
        ("costs of 2019-2021", "2019-01-01", "2022-01-01"),
        ("invoices of last month", "2025-12-01", "2026-01-01"),
        ("invoices of last year", "2025-01-01", "2026-01-01"),
    ],
)
def test_a_question_names_a_time(question: str, start: str, end: str) -> None:
    """A year, a month, a day, a bound or two; the end is the first day that is not of it."""
    period = period_in(question, TODAY)
    assert period is not None
    assert (period.start.isoformat(), period.end.isoformat()) == (start, end)


@pytest.mark.parametrize(
    "question", ["who is mayor?", "CVE-2022-1234", "2022-13-01", "2022-02-31", "part 2022a", ""]
)
def test_other_numbers_are_no_time(question: str) -> None:
    """Codes, and days that there are not."""
    assert period_in(question, TODAY) is None


def test_a_bound_comes_before_the_year_itself() -> None:
    """Who asks for what was before 2022 does not mean 2022; who asks for 2022 means the value first."""
    assert choices_in("pumps before 2022")[0] == {"gte": 1, "lt": 2022}
    assert 2022 in choices_in("pumps of 2022")[0]
