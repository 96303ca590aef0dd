"""The examples of the pages, as they stand there."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def executed(page: Path, test: str) -> list[str]:
    """The blocks that a page marks as executed by a test's file."""
    marked = rf"<!-- executed by tests/acceptance/{re.escape(Path(test).name)} -->\n```bash\n(.*?)```"
    blocks = re.findall(marked, page.read_text(), re.S)
    assert blocks, f"{page.name} has lost its example"
    return blocks
