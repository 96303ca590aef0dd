"""The keys that this machine keeps for its user, in the data directory, readable by nobody else."""

import os
import secrets
from pathlib import Path
from typing import TypedDict

import orjson

from knowlog.kernel.errors import Misconfigured


class Kept(TypedDict):
    """One tenant of the local server and the key to it."""

    tenant_id: str
    tenant: str
    key: str


def kept_keys(data_dir: Path) -> dict[str, Kept]:
    """Read the kept keys, by tenant name; the one to be used first comes first.

    Raises Misconfigured when the file is not what knowlog wrote.
    """
    path = _path(data_dir)
    if not path.exists():
        return {}
    try:
        held: dict[str, Kept] = orjson.loads(path.read_bytes())
        return {name: held[name] for name in sorted(held, key=lambda name: (name == "demo", name))}
    except (OSError, ValueError, TypeError) as error:
        raise Misconfigured(
            f"{path} cannot be read ({error}). Delete it; `knowlog up` makes a new one."
        ) from error


def keep_key(data_dir: Path, kept: Kept) -> None:
    """Keep a key under its tenant's name, in place of an older one."""
    write_private(_path(data_dir), orjson.dumps({**kept_keys(data_dir), kept["tenant"]: kept}).decode())


def operator_key(data_dir: Path) -> str | None:
    """Return the kept operator key, or None where there is none (or it is not ours to read)."""
    try:
        return (data_dir / "operator.key").read_text().strip() or None
    except OSError:
        return None


def make_operator_key(data_dir: Path) -> str:
    """Return the kept operator key, made now if there is none."""
    held = operator_key(data_dir)
    if held is None:
        held = "ko_" + secrets.token_urlsafe(32)
        write_private(data_dir / "operator.key", held + "\n")
    return held


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all.

    Raises Misconfigured when that fails.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        scratch.replace(path)
    except OSError as error:
        raise Misconfigured(
            f"{path} cannot be written: {error.strerror}. Free space or choose another KNOWLOG_DATA_DIR."
        ) from error


def _path(data_dir: Path) -> Path:
    return data_dir / "credentials.json"
