"""Which key a command sends."""

from pathlib import Path

import pytest

from knowlog.cli.connection import find_key
from knowlog.cli.credentials import Kept, keep_key
from knowlog.kernel.errors import Misconfigured
from knowlog.settings import Local, load_local


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Local:
    """A machine that keeps a key."""
    monkeypatch.delenv("KNOWLOG_KEY", raising=False)
    keep_key(tmp_path, Kept(tenant="default", tenant_id="1", key="kl_kept"))
    return load_local({"KNOWLOG_DATA_DIR": str(tmp_path)})


def test_the_option_comes_before_the_environment(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """And both before the kept one."""
    assert find_key(local) == "kl_kept"
    monkeypatch.setenv("KNOWLOG_KEY", "kl_environment")
    assert find_key(local) == "kl_environment"
    assert find_key(local, "kl_option") == "kl_option"


def test_an_empty_key_is_refused(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one in its place could be another tenant's."""
    with pytest.raises(Misconfigured, match="--key is empty"):
        find_key(local, "")
    monkeypatch.setenv("KNOWLOG_KEY", " ")
    with pytest.raises(Misconfigured, match="KNOWLOG_KEY is empty"):
        find_key(local)


def test_a_key_of_odd_characters_is_refused(local: Local) -> None:
    """In words about the key, before anything is sent."""
    with pytest.raises(Misconfigured, match="no key has"):
        find_key(local, "kl_\u00e4")
