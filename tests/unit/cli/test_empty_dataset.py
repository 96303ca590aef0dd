"""`knowlog datasets import` of a file in which nothing stands."""

from pathlib import Path

import pytest

from knowlog.cli.datasets import import_
from knowlog.kernel.errors import Invalid


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_a_question_is_told_before_anything_is_sent(tmp_path: Path, text: str) -> None:
    """By its name."""
    path = tmp_path / "empty.jsonl"
    path.write_text(text)
    with pytest.raises(Invalid, match=r"empty\.jsonl holds no question"):
        import_("animals", path, "notes")
