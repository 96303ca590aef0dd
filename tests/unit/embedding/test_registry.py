"""Choosing a model by setting."""

import sys
from pathlib import Path
from typing import Any

import pytest

from knowlog.embedding import EmbeddingSettings, open_embedder
from knowlog.kernel.errors import Misconfigured


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model": "word2vec"}, "set KNOWLOG_EMBEDDING_MODEL to one of minilm, bge, pair, openai"),
        ({"model": "openai"}, "set KNOWLOG_EMBEDDING_MODEL=openai:NAME"),
        ({"model": "openai:small"}, "KNOWLOG_EMBEDDING_DIMENSIONS"),
        ({"model": "openai:small", "dimensions": 64, "url": "localhost"}, "KNOWLOG_EMBEDDING_URL"),
        ({"model": "minilm", "dimensions": 64}, "384 dimensions"),
        ({"model": "minilm", "window_tokens": 513}, "at most 512 tokens"),
        ({"model": "minilm:large"}, "one form"),
        ({"model": "bge", "window_tokens": 513}, "at most 512 tokens"),
        ({"model": "bge"}, "mvn dependency:copy .* KNOWLOG_EMBEDDING_FILE"),
    ],
)
def test_impossible_setting_is_refused_with_what_to_do(
    settings: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence, before anything is loaded or written; no jar that Maven has fetched before is at hand."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(Misconfigured, match=said):
        open_embedder(EmbeddingSettings(**settings), tmp_path)
    assert not list(tmp_path.iterdir())


def test_fastembed_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "fastembed", None)
    with pytest.raises(Misconfigured, match=r"pip install 'knowlog\[fastembed\]'"):
        open_embedder(EmbeddingSettings(model="fastembed:BAAI/bge-small-en-v1.5"), tmp_path)


def test_model_unknown_to_fastembed_is_said(tmp_path: Path) -> None:
    """Nothing is downloaded for a name that cannot be one."""
    pytest.importorskip("fastembed", reason='not installed: pip install "knowlog[fastembed]"')
    with pytest.raises(Misconfigured, match="does not know the model 'nope'"):
        open_embedder(EmbeddingSettings(model="fastembed:nope"), tmp_path)


def test_key_is_not_shown() -> None:
    """A secret does not appear in what is printed of the settings."""
    assert "hush" not in repr(EmbeddingSettings(api_key="hush"))
