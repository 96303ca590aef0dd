"""Disks that are really full: small ones in memory, which only root may mount."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size_kb: int) -> Iterator[Path]:
    """Mount a disk of so many kB on a folder for the time of the block; skips the test where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k,mode=0755", "tmpfs", str(folder)]
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted: that takes root, and a kernel that lets it")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def grow(folder: Path, size_kb: int) -> None:
    """Make a small disk larger."""
    subprocess.run(["mount", "-o", f"remount,size={size_kb}k", str(folder)], check=True)


@contextmanager
def filled(folder: Path, left_kb: int) -> Iterator[None]:
    """Fill the disk of a folder up but for so many kB; the room is there again after the block."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 65536)
        except OSError:
            file.truncate(max(0, file.tell() - left_kb * 1024))
    try:
        yield
    finally:
        filler.unlink()
