"""Where the command line gets passwords from."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from knowlog.cli.values import typed_password
from knowlog.kernel.errors import Invalid

ASK = "from knowlog.cli.values import typed_password; print(typed_password('Password', 'KNOWLOG_PASSWORD'))"


def test_a_password_is_asked_for_beside_what_the_command_prints() -> None:
    """`KNOWLOG_KEY=$(knowlog sessions sign-in ...)` takes the token, and not the question before it."""
    ours, terminal = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-c", ASK],
        stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    asked = b""
    while b"Password: " not in asked:  # what is typed before the echo is off is thrown away
        asked += os.read(ours, 1024)
    os.write(ours, b"correct horse\n")
    printed, _ = program.communicate(timeout=30)
    os.close(ours)
    assert printed == b"correct horse\n"


def piped(text: bytes, code: str = ASK) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, check=False)


def test_a_password_may_be_piped() -> None:
    """A line each: as it stands, blanks and all, and nothing else is printed."""
    assert piped(b" correct horse \r\nnext\n").stdout == b" correct horse \n"
    assert piped("Z\u00fcrich 8000".encode()).stdout == "Z\u00fcrich 8000\n".encode()


def test_without_a_password_it_says_where_to_put_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked who cannot answer."""
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(Invalid, match="KNOWLOG_PASSWORD"):
            typed_password("Password", "KNOWLOG_PASSWORD")
