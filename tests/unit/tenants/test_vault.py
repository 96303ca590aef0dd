"""The vault: a ciphertext opens for its tenant and purpose alone, and keys are real ones."""

import stat
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from os import urandom
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from knowlog.kernel.errors import Misconfigured, Unavailable
from knowlog.settings import describe, load_settings
from knowlog.tenants import SecretsSettings, Vault, make_key_file, open_vault, require_key
from knowlog.tenants.settings import read_keys
from knowlog.tenants.vault import decrypt, encrypt, key_id


def text_of(key: bytes) -> str:
    return b64encode(key).decode()


@pytest.fixture
def key() -> AESGCM:
    return AESGCM(urandom(32))


def test_what_is_sealed_opens(key: AESGCM) -> None:
    """And two ciphertexts of one text differ."""
    assert decrypt(key, b"alice", encrypt(key, b"alice", b"s3cret")) == b"s3cret"
    assert encrypt(key, b"alice", b"s3cret") != encrypt(key, b"alice", b"s3cret")


def test_another_context_opens_nothing(key: AESGCM) -> None:
    """Tenant and purpose are part of what is authenticated."""
    with pytest.raises(Unavailable):
        decrypt(key, b"charlie", encrypt(key, b"alice", b"s3cret"))


def test_another_key_opens_nothing(key: AESGCM) -> None:
    with pytest.raises(Unavailable):
        decrypt(AESGCM(urandom(32)), b"alice", encrypt(key, b"alice", b"s3cret"))


@pytest.mark.parametrize("place", [0, 1, 12, 13, 14, -1])
def test_a_changed_bit_is_noticed(key: AESGCM, place: int) -> None:
    """In the form, the nonce, the ciphertext or the tag."""
    sealed = bytearray(encrypt(key, b"alice", b"s3cret"))
    sealed[place] ^= 1
    with pytest.raises(Unavailable):
        decrypt(key, b"alice", bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + bytes(12), bytes(60)])
def test_what_is_no_ciphertext_is_refused(key: AESGCM, sealed: bytes) -> None:
    with pytest.raises(Unavailable):
        decrypt(key, b"alice", sealed)


def test_several_keys_are_read_the_current_one_first() -> None:
    """Separated by blanks, line ends or commas; also in the alphabet of URLs."""
    one, two = urandom(32), urandom(32)
    assert read_keys(f"{text_of(one)}\n{text_of(two).replace('+', '-').replace('/', '_')},\n") == (one, two)


@pytest.mark.parametrize(
    "text",
    ["", "changeme", "x" * 43, text_of(bytes(range(16))), text_of(bytes(32)), text_of(b"a" * 32), "é" * 20],
)
def test_what_is_no_random_key_of_32_bytes_is_refused(text: str) -> None:
    """Defaults of other people's examples too; the sentence does not repeat what was given."""
    with pytest.raises(Misconfigured, match="KNOWLOG_SECRETS_KEY") as refused:
        load_settings({"KNOWLOG_SECRETS_KEY": text or " "})
    assert not text or text not in refused.value.detail


def test_the_key_is_masked_when_shown() -> None:
    key = text_of(urandom(32))
    assert key not in str(describe(load_settings({"KNOWLOG_SECRETS_KEY": key})))


def test_the_id_of_a_key_tells_nothing_of_it() -> None:
    key = urandom(32)
    assert len(key_id(key)) == 16
    assert key_id(key) != key_id(urandom(32))
    assert key.hex()[:16] not in key_id(key)


def test_a_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Made once; a second call leaves it."""
    path = tmp_path / "secrets.key"
    assert make_key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_text()
    assert not make_key_file(path)
    assert path.read_text() == before
    assert [each.name for each in tmp_path.iterdir()] == ["secrets.key"]


def test_of_many_processes_that_make_one_all_read_the_same(tmp_path: Path) -> None:
    """One wins, and the file is never there half."""
    path = tmp_path / "secrets.key"

    def start(_: int) -> str:
        make_key_file(path)
        return path.read_text()

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(start, range(64)))) == 1


def test_without_a_key_a_server_of_several_machines_refuses(tmp_path: Path) -> None:
    """The sentence says what to do."""
    with pytest.raises(Misconfigured, match="openssl rand -base64 32"):
        require_key(SecretsSettings(), tmp_path, here=False)
    require_key(SecretsSettings(), tmp_path, here=True)
    require_key(SecretsSettings(key=text_of(urandom(32))), tmp_path, here=False)


def test_a_damaged_key_file_is_not_replaced(tmp_path: Path) -> None:
    """A new key would open nothing of what is stored."""
    (tmp_path / "secrets.key").write_text("damaged")
    with pytest.raises(Misconfigured, match="Restore it"):
        open_vault(SecretsSettings(), tmp_path, here=True)
    assert (tmp_path / "secrets.key").read_text() == "damaged"


def test_an_empty_vault_says_what_it_lacks() -> None:
    with pytest.raises(Misconfigured, match="KNOWLOG_SECRETS_KEY is not set"):
        _ = Vault(()).current


def test_a_key_is_of_its_tenant() -> None:
    """A wrapped data key that is moved to another tenant's row does not open."""
    vault = Vault([urandom(32)])
    alice, charlie = uuid4(), uuid4()
    wrapped = vault._wrap(alice, urandom(32))
    assert vault.opens(alice, wrapped, vault.current)
    assert not vault.opens(charlie, wrapped, vault.current)
