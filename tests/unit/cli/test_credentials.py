"""Keys kept on this machine."""

from pathlib import Path

import pytest

from knowlog.cli.credentials import Kept, keep_key, kept_keys, make_operator_key, operator_key
from knowlog.kernel.errors import Misconfigured


def test_a_kept_key_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    """Mode 0600, also after a second key is kept."""
    for name in ("demo", "default"):
        keep_key(tmp_path, Kept(tenant=name, tenant_id="1", key=f"kl_{name}"))
    assert (tmp_path / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert list(kept_keys(tmp_path)) == ["default", "demo"]


def test_the_users_own_tenant_comes_before_the_demo(tmp_path: Path) -> None:
    """Whoever has documents of their own means those."""
    keep_key(tmp_path, Kept(tenant="demo", tenant_id="1", key="kl_demo"))
    keep_key(tmp_path, Kept(tenant="zoo", tenant_id="2", key="kl_zoo"))
    assert next(iter(kept_keys(tmp_path))) == "zoo"


def test_the_operator_key_is_made_once(tmp_path: Path) -> None:
    """A later start finds the same."""
    assert operator_key(tmp_path) is None
    made = make_operator_key(tmp_path)
    assert make_operator_key(tmp_path) == made == operator_key(tmp_path)
    assert (tmp_path / "operator.key").stat().st_mode & 0o777 == 0o600


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """And how to mend it."""
    (tmp_path / "credentials.json").write_text("{")
    with pytest.raises(Misconfigured, match="Delete it"):
        kept_keys(tmp_path)
